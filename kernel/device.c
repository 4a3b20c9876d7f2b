// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices: one platform device per NPU, made from the module's parameters or by
 * the driver of cards (pci.c), and the driver that binds them. Unbinding takes a
 * device away from under its users: their mappings fault with SIGBUS, their calls
 * fail with ENODEV, and its memory goes back when the last of them lets go.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/device.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/overflow.h>
#include <linux/platform_device.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "internal.h"

static unsigned int npumem_nr_devices = 2;
module_param_named(devices, npumem_nr_devices, uint, 0444);
MODULE_PARM_DESC(devices, "number of devices, 1 to 32 (default 2)");

static char *npumem_capacity[NPUMEM_MAX_DEVICES];
static unsigned int npumem_nr_capacities;
module_param_array_named(capacity, npumem_capacity, charp,
			 &npumem_nr_capacities, 0444);
MODULE_PARM_DESC(capacity,
		 "bytes of each device, with K, M, G or T; the last one given counts for all that follow (default: half of the host's RAM, divided among the devices)");

static unsigned int npumem_virtual;
module_param_named(virtual, npumem_virtual, uint, 0444);
MODULE_PARM_DESC(virtual,
		 "bit mask of devices that are slices of a card, whose memory cannot be exported (default 0)");

static int npumem_numa_node[NPUMEM_MAX_DEVICES] = {
	[0 ... NPUMEM_MAX_DEVICES - 1] = NUMA_NO_NODE,
};

static unsigned int npumem_nr_numa_nodes;
module_param_array_named(numa_node, npumem_numa_node, int,
			 &npumem_nr_numa_nodes, 0444);
MODULE_PARM_DESC(numa_node, "NUMA node of each device, -1 for any (default -1)");

/*
 * Not for lockdown: physical addresses are the kernel's to choose there. Nor for
 * everybody to read.
 */
static char *carveout[NPUMEM_MAX_DEVICES];
static unsigned int npumem_nr_carveouts;
module_param_hw_array(carveout, charp, iomem, &npumem_nr_carveouts, 0400);
MODULE_PARM_DESC(carveout,
		 "physical memory of each device, as SIZE@START with K, M, G or T, which the kernel was told to leave alone; empty for devices that use RAM (default: none)");

/* Guards changes of npumem_devices and npumem_highest. */
static DEFINE_MUTEX(npumem_devices_lock);
static struct npumem_device __rcu *npumem_devices[NPUMEM_MAX_DEVICES];
static unsigned int npumem_highest;	/* highest number ever bound, plus 1 */

/* Guards npumem_platform, which cards come to and go from. */
static DEFINE_MUTEX(npumem_platform_lock);
static struct platform_device *npumem_platform[NPUMEM_MAX_DEVICES];

/* Memory is of @card, if there is one, or a carve-out, if it has a size, or RAM. */
struct npumem_device_config {
	u64 capacity;
	u64 carveout_start;
	u64 carveout_size;
	struct npumem_card *card;
	int nid;
	bool is_virtual;
};

unsigned int npumem_device_count(void)
{
	return READ_ONCE(npumem_highest);
}

/**
 * npumem_device_get() - look a device up
 * @id: its number, as user space gave it
 *
 * Context: any.
 * Return: the device with a reference for the caller, or ERR_PTR: -ENXIO
 * there is none of that number, -ENODEV there was one.
 */
struct npumem_device *npumem_device_get(u32 id)
{
	struct npumem_device *device;

	if (id >= npumem_device_count())
		return ERR_PTR(-ENXIO);
	id = array_index_nospec(id, NPUMEM_MAX_DEVICES);
	rcu_read_lock();
	device = rcu_dereference(npumem_devices[id]);
	if (device && !kref_get_unless_zero(&device->ref))
		device = NULL;
	rcu_read_unlock();
	return device ?: ERR_PTR(-ENODEV);
}

/* Returns a device with one reference, which nobody finds yet, or NULL. */
struct npumem_device *npumem_device_new(u32 id, int nid, u64 capacity,
					struct npumem_pool *pool)
{
	struct npumem_device *device;

	device = kzalloc(sizeof(*device), GFP_KERNEL);
	if (!device)
		return NULL;
	kref_init(&device->ref);
	device->id = id;
	device->nid = nid;
	device->pool = pool;
	device->capacity = capacity & ~(NPUMEM_CHUNK_SIZE - 1);
	return device;
}

struct npumem_device *npumem_device_hold(struct npumem_device *device)
{
	kref_get(&device->ref);
	return device;
}

static void npumem_device_release(struct kref *ref)
{
	struct npumem_device *device = container_of(ref, struct npumem_device,
						    ref);

	WARN_ON(atomic64_read(&device->used));
	npumem_pool_destroy(device->pool);
	kfree_rcu(device, rcu);
}

void npumem_device_put(struct npumem_device *device)
{
	kref_put(&device->ref, npumem_device_release);
}

int npumem_ioctl_device_info(struct npumem_call *call)
{
	struct npumem_device_info *arg = call->arg;
	struct npumem_device *device;

	device = arg->device == NPUMEM_DEVICE_NONE ?
		 npumem_host_get() : npumem_device_get(arg->device);
	if (IS_ERR(device))
		return PTR_ERR(device);
	arg->flags = device->is_virtual ? NPUMEM_DEVICE_VIRTUAL : 0;
	arg->numa_node = device->nid;
	arg->capacity = device->capacity;
	arg->used = atomic64_read(&device->used);
	npumem_device_put(device);
	return npumem_respond(call);
}

/*
 * The binding. Attributes live between probe and removal, and so does the
 * reference that drvdata is.
 */

static ssize_t capacity_show(struct device *dev, struct device_attribute *attr,
			     char *buf)
{
	struct npumem_device *device = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%llu\n", device->capacity);
}
static DEVICE_ATTR_RO(capacity);

static ssize_t used_show(struct device *dev, struct device_attribute *attr,
			 char *buf)
{
	struct npumem_device *device = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%lld\n", (s64)atomic64_read(&device->used));
}
static DEVICE_ATTR_RO(used);

static ssize_t free_show(struct device *dev, struct device_attribute *attr,
			 char *buf)
{
	struct npumem_device *device = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%llu\n", device->capacity -
					 atomic64_read(&device->used));
}
static DEVICE_ATTR_RO(free);

static ssize_t virtual_show(struct device *dev, struct device_attribute *attr,
			    char *buf)
{
	struct npumem_device *device = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%d\n", device->is_virtual);
}
static DEVICE_ATTR_RO(virtual);

static ssize_t pool_show(struct device *dev, struct device_attribute *attr,
			 char *buf)
{
	struct npumem_device *device = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%s\n", device->pool->ops->name);
}
static DEVICE_ATTR_RO(pool);

static struct attribute *npumem_device_attrs[] = {
	&dev_attr_capacity.attr,
	&dev_attr_used.attr,
	&dev_attr_free.attr,
	&dev_attr_virtual.attr,
	&dev_attr_pool.attr,
	NULL
};
ATTRIBUTE_GROUPS(npumem_device);

/*
 * Take the device away. Faults that began before have ended when map_lock was
 * held exclusively, those that begin after see @gone; then nothing is left of
 * it in any page table once the zap is done.
 */
static void npumem_device_unbind(void *data)
{
	struct npumem_device *device = data;
	struct npumem_client *client;

	mutex_lock(&npumem_devices_lock);
	RCU_INIT_POINTER(npumem_devices[device->id], NULL);
	mutex_unlock(&npumem_devices_lock);

	WRITE_ONCE(device->gone, true);
	mutex_lock(&npumem_clients_lock);
	list_for_each_entry(client, &npumem_clients, node) {
		bool mapped;

		down_write(&client->map_lock);
		mapped = client->nr_mappings;
		up_write(&client->map_lock);
		/* The mappings of other devices come back by faults. */
		if (mapped)
			npumem_client_zap(client, 0, ULONG_MAX);
		cond_resched();
	}
	mutex_unlock(&npumem_clients_lock);
	npumem_device_put(device);
}

static int npumem_device_probe(struct platform_device *pdev)
{
	const struct npumem_device_config *config = dev_get_platdata(&pdev->dev);
	struct npumem_pool *pool = &npumem_ram;
	struct npumem_device *device;

	/* Root can have us bind others by driver_override. */
	if (!config || pdev->id < 0 || pdev->id >= NPUMEM_MAX_DEVICES ||
	    strcmp(pdev->name, "npumem"))
		return -EINVAL;
	if (config->card)
		pool = npumem_card_pool(config->card);
	else if (config->carveout_size)
		pool = npumem_carveout_create(config->carveout_start,
					      config->carveout_size,
					      config->nid);
	if (IS_ERR(pool)) {
		if (PTR_ERR(pool) == -EBUSY)
			pr_err("device %u: its memory is RAM of the kernel, or somebody still has some of it\n",
			       pdev->id);
		return PTR_ERR(pool);
	}
	device = npumem_device_new(pdev->id, config->nid, config->capacity,
				   pool);
	if (!device) {
		npumem_pool_destroy(pool);
		return -ENOMEM;
	}
	device->is_virtual = config->is_virtual;
	platform_set_drvdata(pdev, device);

	mutex_lock(&npumem_devices_lock);
	rcu_assign_pointer(npumem_devices[device->id], device);
	if (npumem_highest <= device->id)
		WRITE_ONCE(npumem_highest, device->id + 1);
	mutex_unlock(&npumem_devices_lock);
	return devm_add_action_or_reset(&pdev->dev, npumem_device_unbind,
					device);
}

static struct platform_driver npumem_driver = {
	.probe = npumem_device_probe,
	.driver = {
		.name = "npumem",
		.dev_groups = npumem_device_groups,
		/* Loading looks whether carve-outs could be had. */
		.probe_type = PROBE_FORCE_SYNCHRONOUS,
	},
};

/* SIZE@START, both of them in granules; or nothing. */
static int npumem_device_configure_carveout(unsigned int id,
					    struct npumem_device_config *config)
{
	u64 start = 0, size, end;
	char *text;

	config->carveout_size = 0;
	if (id >= npumem_nr_carveouts || !*carveout[id])
		return 0;
	size = memparse(carveout[id], &text);
	if (text[0] == '@' && text[1])
		start = memparse(text + 1, &text);
	else
		text = "?";
	if (*text || !size || (size | start) & (NPUMEM_CHUNK_SIZE - 1) ||
	    check_add_overflow(start, size - 1, &end) || end > PHYS_ADDR_MAX) {
		pr_err("carveout of device %u: SIZE@START is needed, like 16G@32G, in multiples of 2M\n",
		       id);
		return -EINVAL;
	}
	config->carveout_start = start;
	config->carveout_size = size;
	config->capacity = size;
	return 0;
}

static int npumem_device_configure(unsigned int id,
				   struct npumem_device_config *config)
{
	u64 bytes = (u64)totalram_pages() * PAGE_SIZE / 2 / npumem_nr_devices;
	char *end = "";
	int ret;

	if (npumem_nr_capacities)
		bytes = memparse(npumem_capacity[min(id, npumem_nr_capacities - 1)],
				 &end);
	config->capacity = bytes & ~(NPUMEM_CHUNK_SIZE - 1);
	/* s64 is how it is counted. */
	if (*end || !config->capacity || config->capacity > S64_MAX) {
		pr_err("capacity of device %u: a size from 2M up is needed, like 16G\n",
		       id);
		return -EINVAL;
	}
	ret = npumem_device_configure_carveout(id, config);
	if (ret)
		return ret;
	config->nid = npumem_numa_node[id];
	/* All of a node's memory may be carved out. */
	if (config->nid != NUMA_NO_NODE &&
	    (config->nid < 0 || config->nid >= MAX_NUMNODES ||
	     !node_state(config->nid, config->carveout_size ?
				      N_ONLINE : N_NORMAL_MEMORY))) {
		pr_err("numa_node of device %u: node %d has no memory\n", id,
		       config->nid);
		return -EINVAL;
	}
	config->is_virtual = npumem_virtual & BIT(id);
	return 0;
}

static struct platform_device *
npumem_device_add(unsigned int id, struct device *parent,
		  const struct npumem_device_config *config)
{
	struct platform_device *pdev;
	int ret;

	pdev = platform_device_alloc("npumem", id);
	if (!pdev)
		return ERR_PTR(-ENOMEM);
	pdev->dev.parent = parent;
	set_dev_node(&pdev->dev, config->nid);
	ret = platform_device_add_data(pdev, config, sizeof(*config));
	if (!ret)
		ret = platform_device_add(pdev);
	/* What is asked for by address is there or is an error. */
	if (!ret && config->carveout_size && !platform_get_drvdata(pdev)) {
		platform_device_del(pdev);
		ret = -EBUSY;
	}
	if (ret) {
		platform_device_put(pdev);
		return ERR_PTR(ret);
	}
	npumem_platform[id] = pdev;
	return pdev;
}

static int npumem_device_create(unsigned int id)
{
	struct npumem_device_config config = {};
	int ret;

	ret = npumem_device_configure(id, &config);
	if (ret)
		return ret;
	return PTR_ERR_OR_ZERO(npumem_device_add(id, NULL, &config));
}

/**
 * npumem_device_plug() - make a device of a card
 * @parent: the card's own
 * @card: its memory
 * @size: bytes
 *
 * It gets the lowest number that is free, and is bound if memory suffices.
 *
 * Context: process context, sleeps.
 * Return: the device for npumem_device_unplug(), or an ERR_PTR: -ENOSPC there are
 * as many as there may be; -ENOMEM.
 */
struct platform_device *npumem_device_plug(struct device *parent,
					   struct npumem_card *card, u64 size)
{
	const struct npumem_device_config config = {
		.capacity = size,
		.card = card,
		.nid = dev_to_node(parent),
	};
	struct platform_device *pdev = ERR_PTR(-ENOSPC);
	unsigned int id;

	mutex_lock(&npumem_platform_lock);
	for (id = 0; id < NPUMEM_MAX_DEVICES; id++) {
		if (!npumem_platform[id]) {
			pdev = npumem_device_add(id, parent, &config);
			break;
		}
	}
	mutex_unlock(&npumem_platform_lock);
	return pdev;
}

/**
 * npumem_device_unplug() - take a card's device away from under its users
 * @pdev: from npumem_device_plug()
 *
 * Afterwards it has no mappings, and none will come; its memory may be held.
 *
 * Context: process context, sleeps.
 */
void npumem_device_unplug(struct platform_device *pdev)
{
	mutex_lock(&npumem_platform_lock);
	npumem_platform[pdev->id] = NULL;
	platform_device_unregister(pdev);
	mutex_unlock(&npumem_platform_lock);
}

static void npumem_platform_exit(void)
{
	unsigned int id;

	for (id = 0; id < NPUMEM_MAX_DEVICES; id++)
		platform_device_unregister(npumem_platform[id]);
	platform_driver_unregister(&npumem_driver);
}

void npumem_devices_exit(void)
{
	npumem_pci_exit();
	npumem_platform_exit();
}

int npumem_devices_init(void)
{
	unsigned int id;
	int ret;

	if (!npumem_nr_devices || npumem_nr_devices > NPUMEM_MAX_DEVICES) {
		pr_err("devices: 1 to %d\n", NPUMEM_MAX_DEVICES);
		return -EINVAL;
	}
	if (npumem_nr_carveouts > npumem_nr_devices) {
		pr_err("carveout: there are only %u devices\n",
		       npumem_nr_devices);
		return -EINVAL;
	}
	ret = platform_driver_register(&npumem_driver);
	if (ret)
		return ret;
	for (id = 0; id < npumem_nr_devices; id++) {
		ret = npumem_device_create(id);
		if (ret)
			goto err;
	}
	/* Last: cards get the numbers that are left. */
	ret = npumem_pci_init();
	if (ret)
		goto err;
	return 0;

err:
	npumem_platform_exit();
	return ret;
}
