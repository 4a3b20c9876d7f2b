// SPDX-License-Identifier: MIT
/*
 * npumemctl load: insert the module by libkmod and wait for its node.
 */
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <libkmod.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "ctl.h"

struct load {
	const char *file;
	char **parameters;
	int nr_parameters;

	struct kmod_ctx *ctx;
	struct kmod_module *module;
	/* Where the module is, for messages. */
	const char *path;
	char *options;
};

static void quiet(void *data, int priority, const char *file, int line,
		  const char *function, const char *format, va_list args)
{
	(void)data, (void)priority, (void)file, (void)line, (void)function;
	(void)format, (void)args;
}

/* Compare the names of parameters as the kernel does: - is _. */
static bool same_name(const char *a, const char *b, size_t length)
{
	size_t i;

	for (i = 0; i < length; i++)
		if ((a[i] == '-' ? '_' : a[i]) != (b[i] == '-' ? '_' : b[i]))
			return false;
	return true;
}

static const char *find_info(struct kmod_list *info, const char *key)
{
	struct kmod_list *entry;

	kmod_list_foreach(entry, info)
		if (!strcmp(kmod_module_info_get_key(entry), key))
			return kmod_module_info_get_value(entry);
	return NULL;
}

/* The kernel ignores what it does not know; a typo should not go unnoticed. */
static int check_parameter(const struct load *load, struct kmod_list *info,
			   const char *parameter)
{
	size_t length = strchr(parameter, '=') - parameter;
	struct kmod_list *entry;
	const char *value;

	kmod_list_foreach(entry, info) {
		if (strcmp(kmod_module_info_get_key(entry), "parmtype"))
			continue;
		value = kmod_module_info_get_value(entry);
		if (strcspn(value, ":") == length &&
		    same_name(value, parameter, length))
			return CTL_OK;
	}
	ctl_say("the module has no parameter \"%.*s\"; it has:", (int)length,
		parameter);
	kmod_list_foreach(entry, info) {
		if (strcmp(kmod_module_info_get_key(entry), "parm"))
			continue;
		value = kmod_module_info_get_value(entry);
		length = strcspn(value, ":");
		fprintf(stderr, "  %-16.*s %s\n", (int)length, value,
			value[length] ? value + length + 1 : "");
	}
	fprintf(stderr, "(from %s)\n", load->path);
	return CTL_USAGE;
}

/* What the file says of itself: better words than the kernel's errno. */
static int check_info(struct load *load)
{
	const char *name, *magic;
	struct kmod_list *info = NULL;
	struct utsname system;
	int error, i, status = CTL_OK;

	error = kmod_module_get_info(load->module, &info);
	if (error < 0) {
		if (access(load->path, R_OK)) {
			ctl_say("cannot read %s: %s", load->path, strerror(errno));
			return errno == EACCES ? CTL_DENIED : CTL_UNFIT;
		}
		ctl_say("%s is not a kernel module", load->path);
		return CTL_UNFIT;
	}
	name = find_info(info, "name");
	magic = find_info(info, "vermagic");
	uname(&system);
	if (name && strcmp(name, CTL_MODULE)) {
		ctl_say("%s is the module \"%s\", not " CTL_MODULE, load->path,
			name);
		status = CTL_UNFIT;
	} else if (magic && (strcspn(magic, " ") != strlen(system.release) ||
			     strncmp(magic, system.release,
				     strlen(system.release)))) {
		ctl_say("%s is for kernel %.*s; this is %s", load->path,
			(int)strcspn(magic, " "), magic, system.release);
		ctl_say("build it here: make module");
		status = CTL_UNFIT;
	}
	for (i = 0; i < load->nr_parameters && !status; i++)
		status = check_parameter(load, info, load->parameters[i]);
	kmod_module_info_free_list(info);
	return status;
}

/* Find the module and fill in load->module and load->path. */
static int find_module(struct load *load)
{
	struct utsname system;
	int error;

	load->ctx = kmod_new(NULL, NULL);
	if (!load->ctx) {
		ctl_say("libkmod does not start: %s", strerror(errno));
		return CTL_FAILED;
	}
	kmod_set_log_fn(load->ctx, quiet, NULL);

	if (load->file)
		error = kmod_module_new_from_path(load->ctx, load->file,
						  &load->module);
	else
		error = kmod_module_new_from_name(load->ctx, CTL_MODULE,
						  &load->module);
	if (error < 0) {
		ctl_say("%s: %s", load->file ? load->file : CTL_MODULE,
			strerror(-error));
		return error == -EACCES ? CTL_DENIED : CTL_UNFIT;
	}
	load->path = load->file ? load->file :
				  kmod_module_get_path(load->module);
	if (!load->path) {
		uname(&system);
		ctl_say("no module " CTL_MODULE " below /lib/modules/%s",
			system.release);
		ctl_say("put it there with \"make install\", or name its file with --module");
		return CTL_UNFIT;
	}
	return check_info(load);
}

/* The parameters as one text, values with spaces in quotes. */
static int make_options(struct load *load)
{
	size_t size = 1;
	char *end;
	int i;

	for (i = 0; i < load->nr_parameters; i++)
		size += strlen(load->parameters[i]) + 3;
	load->options = malloc(size);
	if (!load->options) {
		ctl_say("out of memory");
		return CTL_FAILED;
	}
	end = load->options;
	*end = '\0';
	for (i = 0; i < load->nr_parameters; i++) {
		const char *parameter = load->parameters[i];
		int name = strchr(parameter, '=') - parameter;

		end += sprintf(end, strpbrk(parameter, " \t\n") ?
			       "%s%.*s=\"%s\"" : "%s%.*s=%s", i ? " " : "",
			       name, parameter, parameter + name + 1);
	}
	return CTL_OK;
}

/*
 * What the kernel logs from now on is for show_log(). -1 if we may not read it.
 */
static int watch_log(void)
{
	int log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (log >= 0)
		lseek(log, 0, SEEK_END);
	return log;
}

/* Show what was logged of us: it says more than an errno can. */
static void show_log(int log)
{
	char record[8192], *text;
	ssize_t length;

	/* EPIPE: records were overwritten before we read them. */
	while ((length = read(log, record, sizeof(record) - 1)) > 0 ||
	       (length < 0 && errno == EPIPE)) {
		if (length < 0)
			continue;
		record[length] = '\0';
		text = strchr(record, ';');
		if (text && strstr(text, CTL_MODULE))
			fprintf(stderr, "  kernel: %.*s\n",
				(int)strcspn(text + 1, "\n"), text + 1);
	}
}

/* The kernel takes modules only from those whom it trusts. */
static int say_untrusted(const struct load *load)
{
	const char *id, *signer, *key;
	struct kmod_list *info = NULL;

	kmod_module_get_info(load->module, &info);
	id = find_info(info, "sig_id");
	signer = find_info(info, "signer");
	key = find_info(info, "sig_key");
	if (!id)
		ctl_say("%s is not signed, and this kernel loads only what is signed by a key"
			" that it trusts (Secure Boot, lockdown)", load->path);
	else
		ctl_say("%s is signed by \"%s\" (key %s), but this kernel does not trust that"
			" key, or the file was changed since", load->path,
			signer ? signer : "?", key ? key : "?");
	ctl_say("sign it, with a key that the machine's owner enrols:"
		" see SIGNING in npumemctl(8)");
	kmod_module_info_free_list(info);
	return CTL_UNFIT;
}

/* EPERM has many reasons; those that can be told are. */
static int say_denied(const struct load *load)
{
	long long disabled = 0;
	char line[128];

	if (geteuid()) {
		ctl_say("only root may load modules; try: sudo npumemctl load ...");
		return CTL_DENIED;
	}
	ctl_read_number(&disabled, "/proc/sys/kernel/modules_disabled");
	if (disabled) {
		ctl_say("kernel.modules_disabled is 1: nothing is loaded until the next boot");
		return CTL_DENIED;
	}
	if (ctl_read_line(line, sizeof(line), "/sys/kernel/security/lockdown") &&
	    !strstr(line, "[none]"))
		return say_untrusted(load);
	ctl_say("the kernel does not let us load modules: a container, a security policy,"
		" or lockdown (Secure Boot)");
	return CTL_DENIED;
}

static int say_refused(const struct load *load, int error)
{
	switch (error) {
	case EEXIST:
		ctl_say("npumem is loaded already");
		return CTL_LOADED;
	case EPERM:
		return say_denied(load);
	case EKEYREJECTED:
	case ENOKEY:
		return say_untrusted(load);
	case ENOEXEC:
	case EBADMSG:
		ctl_say("%s does not fit this kernel; build it here: make module",
			load->path);
		return CTL_UNFIT;
	case ENOENT:
		ctl_say("%s needs something that this kernel does not have",
			load->path);
		return CTL_UNFIT;
	case EINVAL:
	case ERANGE:
		ctl_say("the module refuses a parameter's value (%s)",
			strerror(error));
		return CTL_FAILED;
	default:
		ctl_say("cannot load %s: %s", load->path, strerror(error));
		return CTL_FAILED;
	}
}

static int insert(struct load *load)
{
	const char *command = NULL;
	int error, log, status;

	log = watch_log();
	if (!load->file)
		command = kmod_module_get_install_commands(load->module);
	if (load->file)
		error = kmod_module_insert_module(load->module, 0,
						  load->options);
	else
		error = kmod_module_probe_insert_module(load->module,
							KMOD_PROBE_FAIL_ON_LOADED,
							load->options, NULL,
							NULL, NULL);
	if (error < 0 && command) {
		ctl_say("modprobe.d wants npumem to be loaded by a command, which failed: %s",
			command);
		status = CTL_FAILED;
	} else if (error < 0) {
		status = say_refused(load, -error);
		if (log >= 0)
			show_log(log);
	} else {
		status = CTL_OK;
	}
	if (log >= 0)
		close(log);
	return status;
}

/* devtmpfs makes the node at once; without it, whoever does may take a while. */
static int wait_for_node(void)
{
	const struct timespec pause = { .tv_nsec = 10 * 1000 * 1000 };
	struct stat st;
	dev_t node = 0;
	int i;

	for (i = 0; i < 500; i++) {
		if (ctl_node_number(&node) &&
		    !stat(NPUMEM_DEVICE_PATH, &st) && S_ISCHR(st.st_mode) &&
		    st.st_rdev == node)
			return CTL_OK;
		nanosleep(&pause, NULL);
	}
	if (!node)
		ctl_say("npumem is loaded, but " CTL_SYS_NODE " is not there: is sysfs mounted?");
	else
		ctl_say("npumem is loaded, but " NPUMEM_DEVICE_PATH
			" did not appear; make it: mknod " NPUMEM_DEVICE_PATH
			" c %u %u", major(node), minor(node));
	return CTL_FAILED;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct load *load = state->input;

	switch (key) {
	case 'm':
		load->file = arg;
		return 0;
	case ARGP_KEY_ARG:
		if (*arg == '=' || !strchr(arg, '=')) {
			argp_error(state, "not of the form PARAMETER=VALUE: %s", arg);
			return EINVAL;
		}
		if (strchr(arg, '"')) {
			argp_error(state, "a value cannot have quotes in it: %s", arg);
			return EINVAL;
		}
		load->parameters[load->nr_parameters++] = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option options[] = {
	{ "module", 'm', "FILE", 0,
	  "Load this file, not the installed module", 0 },
	{ 0 }
};

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "[PARAMETER=VALUE...]",
	.doc = "Load npumem, the installed one with what it depends on, and wait until "
	       NPUMEM_DEVICE_PATH " is there.\v"
	       "Sizes take the suffixes K, M, G. A parameter that is not known is refused,"
	       " with a list of those that are.\n"
	       "\n"
	       "Examples:\n"
	       "  npumemctl load\n"
	       "  npumemctl load devices=4 capacity=8G,2G\n"
	       "  npumemctl load --module kernel/npumem.ko devices=1",
};

int ctl_load(int argc, char **argv)
{
	struct load load = { 0 };
	long long builtin;
	int status;

	load.parameters = calloc(argc, sizeof(*load.parameters));
	if (!load.parameters)
		return CTL_FAILED;
	argp_parse(&argp, argc, argv, 0, NULL, &load);

	if (ctl_is_loaded()) {
		/* What is built in has no reference count. */
		if (!ctl_read_number(&builtin, CTL_SYS_MODULE "/refcnt"))
			ctl_say("npumem is a part of this kernel: nothing to load");
		else if (load.file || load.nr_parameters)
			ctl_say("npumem is loaded already; to change module or parameters:"
				" npumemctl unload, then load again");
		else
			ctl_say("npumem is loaded already");
		free(load.parameters);
		return CTL_LOADED;
	}
	status = find_module(&load);
	if (!status)
		status = make_options(&load);
	if (!status)
		status = insert(&load);
	if (!status)
		status = wait_for_node();
	free(load.options);
	free(load.parameters);
	kmod_module_unref(load.module);
	kmod_unref(load.ctx);
	return status;
}
