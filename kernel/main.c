// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/npumem: the module's entry and exit, and the dispatch of ioctls to
 * the files that own what they act on.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cdev.h>
#include <linux/device.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/random.h>
#include <linux/sched.h>
#include <linux/uaccess.h>

#include "internal.h"

/*
 * A command: its handler, the size of its argument in this module and in the
 * first version of the ABI, which is the shortest that is accepted.
 */
struct npumem_command {
	unsigned int size;
	unsigned int min_size;
	int (*handler)(struct npumem_call *call);
};

/* _last is the last member that _type had in the first version. */
#define NPUMEM_COMMAND(_number, _handler, _type, _last)		\
	[_IOC_NR(_number)] = {					\
		.size = sizeof(_type) +				\
			BUILD_BUG_ON_ZERO(sizeof(_type) >	\
				sizeof(union npumem_argument)),	\
		.min_size = offsetofend(_type, _last),		\
		.handler = (_handler),				\
	}

/* Room for any argument; the elements are here for their sizes only. */
union npumem_argument {
	struct npumem_query query;
	struct npumem_device_info device_info;
	struct npumem_memory_info memory_info;
	struct npumem_stats stats;
	struct npumem_copy copy;
};

/* Tells this host, as long as the module is loaded, from others. */
static u8 npumem_host_name[sizeof_field(struct npumem_query, host)];

static const struct npumem_command npumem_commands[] = {
	NPUMEM_COMMAND(NPUMEM_QUERY, npumem_ioctl_query,
		       struct npumem_query, granule),
	NPUMEM_COMMAND(NPUMEM_DEVICE_INFO, npumem_ioctl_device_info,
		       struct npumem_device_info, used),
	NPUMEM_COMMAND(NPUMEM_ALLOC, npumem_ioctl_alloc,
		       struct npumem_alloc, handle),
	NPUMEM_COMMAND(NPUMEM_FREE, npumem_ioctl_free,
		       struct npumem_free, handle),
	NPUMEM_COMMAND(NPUMEM_MEMORY_INFO, npumem_ioctl_memory_info,
		       struct npumem_memory_info, __reserved),
	NPUMEM_COMMAND(NPUMEM_MAP, npumem_ioctl_map,
		       struct npumem_map, handle),
	NPUMEM_COMMAND(NPUMEM_UNMAP, npumem_ioctl_unmap,
		       struct npumem_unmap, address),
	NPUMEM_COMMAND(NPUMEM_SET_ACCESS, npumem_ioctl_set_access,
		       struct npumem_set_access, entries),
	NPUMEM_COMMAND(NPUMEM_GET_ACCESS, npumem_ioctl_get_access,
		       struct npumem_get_access, address),
	NPUMEM_COMMAND(NPUMEM_RANGE, npumem_ioctl_range,
		       struct npumem_range, location_id),
	NPUMEM_COMMAND(NPUMEM_RELEASE, npumem_ioctl_release,
		       struct npumem_release, address),
	NPUMEM_COMMAND(NPUMEM_EXPORT, npumem_ioctl_export,
		       struct npumem_export, token),
	NPUMEM_COMMAND(NPUMEM_WHITELIST_ADD, npumem_ioctl_whitelist_add,
		       struct npumem_whitelist_add, __reserved),
	NPUMEM_COMMAND(NPUMEM_IMPORT, npumem_ioctl_import,
		       struct npumem_import, length),
	NPUMEM_COMMAND(NPUMEM_SHARE_INFO, npumem_ioctl_share_info,
		       struct npumem_share_info, device),
	NPUMEM_COMMAND(NPUMEM_PEER_ENABLE, npumem_ioctl_peer_enable,
		       struct npumem_peer, enabled),
	NPUMEM_COMMAND(NPUMEM_PEER_DISABLE, npumem_ioctl_peer_disable,
		       struct npumem_peer, enabled),
	NPUMEM_COMMAND(NPUMEM_PEER_STATUS, npumem_ioctl_peer_status,
		       struct npumem_peer, enabled),
	NPUMEM_COMMAND(NPUMEM_HOST_TGID, npumem_ioctl_host_tgid,
		       struct npumem_host_tgid, tgid),
	NPUMEM_COMMAND(NPUMEM_STATS, npumem_ioctl_stats,
		       struct npumem_stats, refused_imports),
	NPUMEM_COMMAND(NPUMEM_COPY, npumem_ioctl_copy,
		       struct npumem_copy, length),
	NPUMEM_COMMAND(NPUMEM_FILL, npumem_ioctl_fill,
		       struct npumem_fill, __reserved),
	NPUMEM_COMMAND(NPUMEM_RETAIN, npumem_ioctl_retain,
		       struct npumem_retain, handle),
	NPUMEM_COMMAND(NPUMEM_RESET, npumem_ioctl_reset,
		       struct npumem_reset, device),
	NPUMEM_COMMAND(NPUMEM_UNEXPORT, npumem_ioctl_unexport,
		       struct npumem_unexport, token),
	NPUMEM_COMMAND(NPUMEM_MAP_BATCH, npumem_ioctl_map_batch,
		       struct npumem_map_batch, entries),
	NPUMEM_COMMAND(NPUMEM_UNMAP_BATCH, npumem_ioctl_unmap_batch,
		       struct npumem_unmap_batch, addresses),
};

/*
 * Arguments are a few words, for which copy_from_user() and copy_to_user() take several
 * times as many instructions to begin with as to copy.
 */
static int npumem_argument_read(void *to, const void __user *from, size_t size)
{
	size_t at = 0;

	if (!user_access_begin(from, size))
		return -EFAULT;
	for (; at < (size & ~7UL); at += sizeof(u64))
		unsafe_get_user(*(u64 *)(to + at), (const u64 __user *)(from + at),
				fault);
	for (; at < size; at++)
		unsafe_get_user(*(u8 *)(to + at), (const u8 __user *)(from + at),
				fault);
	user_access_end();
	return 0;

fault:
	user_access_end();
	return -EFAULT;
}

static int npumem_argument_write(void __user *to, const void *from, size_t size)
{
	size_t at = 0;

	might_fault();
	if (!user_access_begin(to, size))
		return -EFAULT;
	for (; at < (size & ~7UL); at += sizeof(u64))
		unsafe_put_user(*(u64 *)(from + at), (u64 __user *)(to + at),
				fault);
	for (; at < size; at++)
		unsafe_put_user(*(u8 *)(from + at), (u8 __user *)(to + at),
				fault);
	user_access_end();
	return 0;

fault:
	user_access_end();
	return -EFAULT;
}

/* As copy_struct_from_user() does. */
static int npumem_argument_complete(const struct npumem_call *call)
{
	int ret;

	if (call->user_size < call->size) {
		memset(call->arg + call->user_size, 0,
		       call->size - call->user_size);
	} else if (call->user_size > call->size) {
		ret = check_zeroed_user(call->user + call->size,
					call->user_size - call->size);
		if (ret <= 0)
			return ret ?: -E2BIG;
	}
	return npumem_argument_read(call->arg, call->user,
				    min(call->user_size, call->size));
}

/**
 * npumem_read_list() - read what an argument points to
 * @user: where it is in the caller's memory
 * @count: elements
 * @size: bytes of each
 *
 * Charged to the caller's memory cgroup, as he may keep us waiting for as long
 * as he likes.
 *
 * Context: process context, may fault and sleep; no map_lock.
 * Return: the list, for kvfree(), or an ERR_PTR: -ENOMEM, -EFAULT.
 */
void *npumem_read_list(u64 user, u32 count, size_t size)
{
	void *list = kvmalloc_array(count, size,
				    GFP_KERNEL_ACCOUNT | __GFP_NOWARN);

	if (!list)
		return ERR_PTR(-ENOMEM);
	if (copy_from_user(list, u64_to_user_ptr(user), count * size)) {
		kvfree(list);
		return ERR_PTR(-EFAULT);
	}
	return list;
}

/**
 * npumem_respond() - hand the results of a call to user space
 * @call: the call, with the results in its argument
 *
 * A handler that makes something which the caller learns of only here undoes
 * it when this fails.
 *
 * Context: process context, may fault and sleep; no map_lock.
 * Return: 0 or -EFAULT.
 */
int npumem_respond(struct npumem_call *call)
{
	return npumem_argument_write(call->user, call->arg,
				     min(call->user_size, call->size));
}

/* As the ABI says, whatever a page has. */
#define NPUMEM_MAX_ARGUMENT	4096

static long npumem_ioctl(struct file *file, unsigned int number,
			 unsigned long user)
{
	const struct npumem_command *command;
	union npumem_argument argument;
	struct npumem_call call = {
		.client = file->private_data,
		.user = (void __user *)user,
		.arg = &argument,
	};
	unsigned int nr = _IOC_NR(number);
	int ret;

	if (number != _IO(NPUMEM_IOC_TYPE, nr) ||
	    nr >= ARRAY_SIZE(npumem_commands))
		return -ENOTTY;
	command = &npumem_commands[array_index_nospec(nr,
					ARRAY_SIZE(npumem_commands))];
	if (!npumem_client_is_mine(call.client))
		return -EACCES;

	/* Read once: the caller's other threads may change it meanwhile. */
	if (get_user(call.user_size, (u32 __user *)call.user))
		return -EFAULT;
	if (call.user_size < command->min_size)
		return -EINVAL;
	/* No version needs more, and the tail is looked at in one go. */
	if (call.user_size > NPUMEM_MAX_ARGUMENT)
		return -E2BIG;
	call.size = command->size;
	ret = npumem_argument_complete(&call);
	if (ret)
		return ret;
	return command->handler(&call);
}

int npumem_ioctl_query(struct npumem_call *call)
{
	struct npumem_query *arg = call->arg;

	arg->abi_major = NPUMEM_ABI_MAJOR;
	arg->abi_minor = NPUMEM_ABI_MINOR;
	arg->device_count = npumem_device_count();
	arg->handle_tag = call->client->handle_tag;
	arg->max_devices = NPUMEM_MAX_DEVICES;
	arg->granule = NPUMEM_CHUNK_SIZE;
	memcpy(arg->host, npumem_host_name, sizeof(arg->host));
	return npumem_respond(call);
}

int npumem_ioctl_host_tgid(struct npumem_call *call)
{
	struct npumem_host_tgid *arg = call->arg;

	arg->tgid = task_tgid_nr(current);
	return npumem_respond(call);
}

static const struct file_operations npumem_fops = {
	.owner = THIS_MODULE,
	.open = npumem_client_open,
	.release = npumem_client_release,
	.unlocked_ioctl = npumem_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = npumem_reservation_mmap,
	.show_fdinfo = npumem_client_show_fdinfo,
};

/*
 * The node. Not a misc device: opening those is serialised for the whole
 * system, and our open waits for the mmap_lock of the process.
 */
static struct class npumem_class = {
	.name = "npumem",
};

static struct cdev npumem_cdev;
static dev_t npumem_devt;

static int npumem_node_init(void)
{
	struct device *node;
	int ret;

	ret = alloc_chrdev_region(&npumem_devt, 0, 1, "npumem");
	if (ret)
		return ret;
	ret = class_register(&npumem_class);
	if (ret)
		goto err_region;
	cdev_init(&npumem_cdev, &npumem_fops);
	npumem_cdev.owner = THIS_MODULE;
	ret = cdev_add(&npumem_cdev, npumem_devt, 1);
	if (ret)
		goto err_class;
	node = device_create_with_groups(&npumem_class, NULL, npumem_devt, NULL,
					 npumem_host_groups, "npumem");
	if (IS_ERR(node)) {
		ret = PTR_ERR(node);
		goto err_cdev;
	}
	return 0;

err_cdev:
	cdev_del(&npumem_cdev);
err_class:
	class_unregister(&npumem_class);
err_region:
	unregister_chrdev_region(npumem_devt, 1);
	return ret;
}

static void npumem_node_exit(void)
{
	device_destroy(&npumem_class, npumem_devt);
	cdev_del(&npumem_cdev);
	class_unregister(&npumem_class);
	unregister_chrdev_region(npumem_devt, 1);
}

static int __init npumem_init(void)
{
	int ret;

	get_random_bytes(npumem_host_name, sizeof(npumem_host_name));
	ret = npumem_shares_init();
	if (ret)
		return ret;
	ret = npumem_clients_init();
	if (ret)
		goto err_shares;
	ret = npumem_zeroed_init();
	if (ret)
		goto err_clients;
	ret = npumem_host_init();
	if (ret)
		goto err_zeroed;
	ret = npumem_carveouts_init();
	if (ret)
		goto err_host;
	ret = npumem_devices_init();
	if (ret)
		goto err_carveouts;
	npumem_debugfs_init();
	ret = npumem_node_init();
	if (ret)
		goto err_devices;
	return 0;

err_devices:
	npumem_debugfs_exit();
	npumem_devices_exit();
err_carveouts:
	npumem_carveouts_exit();
err_host:
	npumem_host_exit();
err_zeroed:
	npumem_zeroed_exit();
err_clients:
	npumem_clients_exit();
err_shares:
	npumem_shares_exit();
	return ret;
}

/* An open file holds the module, so nobody is left but callbacks. */
static void __exit npumem_exit(void)
{
	npumem_node_exit();
	npumem_debugfs_exit();
	npumem_devices_exit();
	npumem_clients_exit();
	npumem_carveouts_exit();
	npumem_host_exit();
	npumem_zeroed_exit();
	npumem_shares_exit();
	npumem_accounts_exit();
}

module_init(npumem_init);
module_exit(npumem_exit);

MODULE_DESCRIPTION("Device memory shared between processes by AscendCL");
MODULE_AUTHOR("The npumem authors");
MODULE_LICENSE("GPL");
