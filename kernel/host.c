// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host as a place for memory: a device that every process has, that is
 * never unbound and that needs no peer links. It is in no table of devices and
 * user space knows it by no number; its id is that of the host's bit in masks
 * of rights, so that the host has what a mapping gives to its device.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/device.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/nodemask.h>
#include <linux/nospec.h>

#include "internal.h"

static_assert(NPUMEM_RIGHTS_DEVICE(NPUMEM_HOST) == NPUMEM_RIGHTS_HOST);
static_assert(NPUMEM_HOST >= NPUMEM_MAX_DEVICES);

static char *npumem_host_capacity = "";
module_param_named(host_capacity, npumem_host_capacity, charp, 0444);
MODULE_PARM_DESC(host_capacity,
		 "bytes of the host's own memory that may be handed out, with K, M, G or T (default: a quarter of its RAM)");

static struct npumem_device *npumem_host;

struct npumem_device *npumem_host_get(void)
{
	return npumem_device_hold(npumem_host);
}

/**
 * npumem_host_node() - look a NUMA node up
 * @id: its number, as user space gave it
 * @nid: out: the same for the kernel
 *
 * The node needs memory that stays where it is, but no CPUs.
 *
 * Context: any.
 * Return: 0, or -ENXIO if it has none or does not exist.
 */
int npumem_host_node(u32 id, int *nid)
{
	if (id >= MAX_NUMNODES)
		return -ENXIO;
	id = array_index_nospec(id, MAX_NUMNODES);
	if (!node_state(id, N_NORMAL_MEMORY))
		return -ENXIO;
	*nid = id;
	return 0;
}

/*
 * Attributes of the node: they live between its creation, which is after
 * npumem_host_init(), and its end.
 */

static ssize_t capacity_show(struct device *dev, struct device_attribute *attr,
			     char *buf)
{
	return sysfs_emit(buf, "%llu\n", npumem_host->capacity);
}
static DEVICE_ATTR_RO(capacity);

static ssize_t used_show(struct device *dev, struct device_attribute *attr,
			 char *buf)
{
	return sysfs_emit(buf, "%lld\n",
			  (s64)atomic64_read(&npumem_host->used));
}
static DEVICE_ATTR_RO(used);

static ssize_t free_show(struct device *dev, struct device_attribute *attr,
			 char *buf)
{
	return sysfs_emit(buf, "%llu\n", npumem_host->capacity -
					 atomic64_read(&npumem_host->used));
}
static DEVICE_ATTR_RO(free);

static ssize_t zeroed_show(struct device *dev, struct device_attribute *attr,
			   char *buf)
{
	return sysfs_emit(buf, "%llu\n", npumem_zeroed_bytes());
}
static DEVICE_ATTR_RO(zeroed);

static struct attribute *npumem_host_attrs[] = {
	&dev_attr_capacity.attr,
	&dev_attr_used.attr,
	&dev_attr_free.attr,
	&dev_attr_zeroed.attr,
	NULL
};

static const struct attribute_group npumem_host_group = {
	.name = "host",
	.attrs = npumem_host_attrs,
};

const struct attribute_group *npumem_host_groups[] = {
	&npumem_host_group,
	NULL
};

void npumem_host_exit(void)
{
	npumem_device_put(npumem_host);
}

int npumem_host_init(void)
{
	u64 bytes = (u64)totalram_pages() * PAGE_SIZE / 4;
	char *end = "";

	if (*npumem_host_capacity)
		bytes = memparse(npumem_host_capacity, &end);
	/* s64 is how it is counted. */
	if (*end || bytes < NPUMEM_CHUNK_SIZE || bytes > S64_MAX) {
		pr_err("host_capacity: a size from 2M up is needed, like 16G\n");
		return -EINVAL;
	}
	npumem_host = npumem_device_new(NPUMEM_HOST, NUMA_NO_NODE, bytes,
					&npumem_ram);
	return npumem_host ? 0 : -ENOMEM;
}
