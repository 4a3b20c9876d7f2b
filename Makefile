# SPDX-License-Identifier: MIT
#
# npumem: the kernel module, the AscendCL library, the tools and their tests.
# `make help` tells what there is. Nothing is built outside of build/.

ifneq ($(and $(KERNELRELEASE),$(obj)),)
# A kernel tree that has this folder in it reads it with Kconfig and this line.
obj-$(CONFIG_NPUMEM) += kernel/
else

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

export version := 0.1.0

PREFIX  ?= /usr/local
DESTDIR ?=
KDIR    ?= /lib/modules/$(shell uname -r)/build
# The distribution kernels that the virtual machine runs.
KERNELS ?= 6.1 6.12

# What tools/vm/vm reads: KERNEL, and if given MEM, CPUS, DEVICES, TIMEOUT.
fuzz_kernel := $(or $(KERNEL),debug-6.12)
KERNEL  ?= 6.12
override KERNEL := $(if $(filter arm64,$(ARCH)),arm64-$(KERNEL:arm64-%=%),$(KERNEL))
export KERNEL

CFLAGS  ?= -O2 -g
export CC CFLAGS CPPFLAGS LDFLAGS

# Quiet unless V=1.
Q      := $(if $(filter 1,$(V)),,@)
silent := $(if $(filter 1,$(V)),,--silent)
say     = @echo "  $(1)	$(2)"

libdir     := $(PREFIX)/lib/npumem
includedir := $(PREFIX)/include/npumem
pcdir      := $(PREFIX)/lib/pkgconfig
sbindir    := $(PREFIX)/sbin
mandir     := $(PREFIX)/share/man
udevdir    := $(PREFIX)/lib/udev/rules.d
sysusers   := $(PREFIX)/lib/sysusers.d
# Where dkms looks, whatever the prefix.
dkmsdir    := /usr/src/npumem-$(version)

.PHONY: all lib tools module modules demo demo-programs check check-all fuzz vm bench bench-programs bench-module bench-plot bench-profile bench-copies packages rpm clean distclean help
all: lib tools module

lib:
	$(call say,LIB,build/lib/libascendcl.so)
	$(Q)$(MAKE) -C lib $(silent)

tools:
	$(Q)$(MAKE) -C tools

demo-programs: lib
	$(Q)$(MAKE) -C tools/demo

# The module is built in build/modules/NAME, a folder of links to its sources:
# one for each kernel, so that several can be built from one tree.
kernel_release = $(shell sed -n 's/.*UTS_RELEASE "\(.*\)".*/\1/p' \
	'$(1)/include/generated/utsrelease.h' 2>/dev/null)

# $(call build_module,NAME,MAKE,KDIR) - a shell command: MAKE is make in KDIR. Types for
# BPF need vmlinux.
build_module = dir='$(CURDIR)/build/modules/$(1)' && mkdir -p "$$dir" && \
	ln -sfnT ../../include build/modules/include && \
	find "$$dir" -maxdepth 1 -xtype l -delete && \
	for file in kernel/Kbuild kernel/*.[ch]; do \
		link="$$dir/$${file\#kernel/}"; \
		[ -L "$$link" ] || ln -sfT "../../../$$file" "$$link" || exit; \
	done && \
	flock "$$dir/.lock" $(2) M="$$dir" modules $(silent) \
		$$([ -e "$(3)/vmlinux" ] || echo CONFIG_DEBUG_INFO_BTF_MODULES=)

# What is asked for besides the module is made even if this fails.
module: | $(if $(filter-out module install-module,$(or $(MAKECMDGOALS),all)),lib tools)
	$(Q)if [ ! -e '$(KDIR)/Makefile' ]; then \
		echo "make: no kernel headers in $(KDIR), so no kernel/npumem.ko." >&2; \
		echo "make: Install the package linux-headers-$$(uname -r) (or what your" >&2; \
		echo "make: distribution calls it), or name a built kernel with KDIR=." >&2; \
		echo "make: \"make demo\" and \"make vm\" need no headers: they bring their own kernel," >&2; \
		echo "make: nor do \"make install-lib install-headers install-tools install-man\"." >&2; \
		exit 1; \
	fi
	$(call say,MODULE,$(call kernel_release,$(KDIR)))
	$(Q)+$(call build_module,$(call kernel_release,$(KDIR)),$(MAKE) -C '$(KDIR)',$(KDIR))
	$(Q)ln -sfn '../build/modules/$(call kernel_release,$(KDIR))/npumem.ko' kernel/npumem.ko

module_targets := $(addprefix module-,$(KERNELS))
.PHONY: $(module_targets)
modules: $(module_targets)

$(module_targets): module-%:
	$(call say,MODULE,$*)
	$(Q)+tools/vm/kernel fetch $* && kdir=$$(tools/vm/kernel dir $*) && \
		$(call build_module,$*,tools/vm/kernel make $*,$$kdir)

# What runs on kernels of another architecture, in build/ARCH. CC here is the
# library's for this one, so it is not asked.
programs_targets := $(addprefix programs-,$(foreach arch,arm64,$(firstword $(filter $(arch)-%,$(KERNELS)))))
.PHONY: programs $(programs_targets)
programs: lib tools $(programs_targets)

$(programs_targets): programs-%:
	$(call say,PROGRAMS,build/$(firstword $(subst -, ,$*)))
	$(Q)+tools/vm/kernel fetch $* && cc=$$(tools/vm/kernel cc $*) && \
	for part in lib tools $(PARTS); do \
		$(MAKE) -C "$$part" $(silent) CC="$$cc" \
			BUILD='$(CURDIR)/build/$(firstword $(subst -, ,$*))' || exit; \
	done

# RUN is for the guest's shell: make must not expand the $ in it.
unexport RUN
vm: export npumem_run := $(value RUN)
packages_for = $(shell tools/vm/kernel packages $(1))

# All output of ours goes to stderr: stdout is the command's.
vm:
	@{ tools/packages install build module vm $(call packages_for,$(KERNEL)) && \
		$(MAKE) programs modules KERNELS='$(KERNEL)'; } </dev/null >&2
	@if [ "$$npumem_run" ]; then \
		tools/vm/vm run -- sh -c "$$npumem_run"; \
	else \
		tools/vm/vm shell; \
	fi

demo:
	@{ tools/packages install build module vm $(call packages_for,$(KERNEL)) && \
		$(MAKE) demo-programs programs modules KERNELS='$(KERNEL)' PARTS=tools/demo; } </dev/null >&2
	@tools/vm/vm run -- build/demo/demo

# With less than MEM=6G the largest copy is left out; of what is compared with less than
# 9G the longest whitelist, as the kernel starts no more processes.
bench-copies: export MEM ?= 6G
bench: export MEM ?= $(shell awk '$$1 == "MemAvailable:" { print ($$2 > 14 * 2 ^ 20 ? "10G" : "5G") }' /proc/meminfo)
bench bench-copies bench-profile: export TIMEOUT ?= 1800
bench-programs:
	@{ tools/packages install build module vm && $(MAKE) lib tools modules KERNELS='$(KERNEL)' && \
		$(MAKE) -C tools $(silent) bench; } </dev/null >&2

bench-copies: bench-programs
	@tools/vm/vm run --icount -- build/bench/copies

# Costs among 100,000 memories are counted with a module whose granule is a page.
bench-module: bench-programs
	@echo '  MODULE	$(KERNEL) with a granule of a page' >&2
	$(Q)+{ kdir=$$(tools/vm/kernel dir $(KERNEL)) && \
		$(call build_module,$(KERNEL)-page,tools/vm/kernel make $(KERNEL),$$kdir) \
			NPUMEM_CHUNK_SHIFT=PAGE_SHIFT; } </dev/null >&2

# What several processors do at once is told by the clock on the wall, in a machine of
# its own, and who waits for which lock in another that is no guest for all it knows;
# all else is counted, and a gibibyte in one piece in a machine that has a carve-out. Handles of one memory differ by their devices.
bench: bench-module
	@tools/vm/vm run --accel tcg --cpus 2 --mem 2G -- \
		build/bench/bench --scaling build/bench/scaling
	@tools/vm/vm run --accel tcg $(if $(filter arm64-%,$(KERNEL)),,--cpu max,-la57,-hypervisor) \
		--cpus 4 --mem 2G -- build/bench/bench --locks
	@tools/vm/vm run --icount --mem 2G --module 'build/modules/$(KERNEL)-page/npumem.ko' \
		--params 'capacity=768M max_zeroed=0' -- build/bench/bench --many build/bench/many
	@tools/vm/vm run --icount --mem 3G --carveout 1088M --no-module -- sh -c ' \
		tools/npumemctl load --module "build/modules/$(KERNEL)/npumem.ko" devices=2 \
			capacity=1088M "carveout=,$$NPUMEM_CARVEOUT" && \
		build/bench/bench --gigabyte build/bench/gigabyte'
	@tools/vm/vm run --icount --devices 32 --params 'capacity=2560M max_zeroed=1280M' -- \
		build/bench/bench --json build/bench.json --sweeps build/bench \
		--scaled build/bench/scaling --found build/bench/many \
		--carved build/bench/gigabyte

# perf samples by the clock, which counts instructions there.
STEP ?= query export import create map cycle
bench-profile: bench-programs
	@tools/packages install profile >&2
	@tools/vm/vm run --icount -- tools/bench/profile $(STEP)

# From what "make bench" has measured last.
bench-plot:
	@tools/packages install plot >&2
	@[ -e build/bench/pids.dat ] || { echo 'make: first "make bench"' >&2; exit 1; }
	$(call say,PLOT,tools/bench/costs.svg)
	$(Q)gnuplot tools/bench/costs.gnuplot | \
		sed '1a <!-- SPDX-License-Identifier: MIT -->' >tools/bench/costs.svg

# All kernels, unless some are named. KERNELS of our own are not meant.
check_kernels = $(if $(filter command environment,$(firstword $(origin KERNELS))),$(KERNELS),$(shell \
	unset KERNELS; selftests/check $(if $*,--all) --kernels))
check check-all: check%:
	@tools/packages install build vm module check $(call packages_for,$(check_kernels)) \
		$(if $*,uefi deb rpm packages) >&2
	@selftests/check $(if $*,--all)

# For SECONDS, from SEED, with a kernel that checks itself. Progress is on stderr; the
# seed of the round under way is in build/fuzz/seed should the machine not survive it.
SECONDS ?= 3600
fuzz: override KERNEL := $(fuzz_kernel)
fuzz: export MEM ?= 3G
fuzz:
	@{ tools/packages install build vm check $(call packages_for,$(fuzz_kernel)) && \
		mkdir -p build/fuzz && $(MAKE) lib modules KERNELS='$(KERNEL)' && \
		$(MAKE) -C selftests $(silent) '$(CURDIR)/build/selftests/fuzz_abi'; } </dev/null >&2
	@tools/vm/vm run --kernel '$(KERNEL)' --timeout 0 --append init_on_alloc=0 \
		--devices 3 --params virtual=4 -- \
		build/selftests/fuzz_abi --seconds $(SECONDS) --state build/fuzz/seed \
		$(if $(SEED),--seed $(SEED)) $(FUZZ)

# Elsewhere than on Debian whoever calls this has installed what it takes.
on_debian := ! type dpkg-query >/dev/null 2>&1 ||

packages:
	@tools/packages install deb >&2
	@tools/packaging/build deb

rpm:
	@$(on_debian) tools/packages install build rpm >&2
	@tools/packaging/build rpm

# Installation. Each part can be had alone.
parts := install-lib install-headers install-tools install-man install-udev install-module
.PHONY: install $(parts) uninstall
install: $(parts)

put    = install -D -m $(1) '$(2)' '$(DESTDIR)$(3)'
remove = rm -f $(patsubst %,'$(DESTDIR)%',$(1))

install-lib: lib
	$(call say,INSTALL,$(libdir)/libascendcl.so)
	$(Q)$(call put,755,build/lib/libascendcl.so,$(libdir)/libascendcl.so)
	$(Q)mkdir -p '$(DESTDIR)$(pcdir)'
	$(Q)sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(libdir)|' \
		-e 's|@INCLUDEDIR@|$(includedir)|' -e 's|@VERSION@|$(version)|' \
		tools/npumem-ascendcl.pc.in >'$(DESTDIR)$(pcdir)/npumem-ascendcl.pc'

install-headers:
	$(call say,INSTALL,$(includedir))
	$(Q)$(call put,644,include/uapi/npumem.h,$(includedir)/uapi/npumem.h)
	$(Q)(cd include && find acl -name '*.h') | while read -r header; do \
		install -D -m 644 "include/$$header" '$(DESTDIR)$(includedir)'/"$$header" || exit; \
	done

install-tools: tools
	$(call say,INSTALL,$(sbindir)/npumemctl)
	$(Q)$(call put,755,build/tools/npumemctl,$(sbindir)/npumemctl)

# A page has the name of its first call, and links for the others that it is about.
man_pages := $(wildcard lib/man/*.3 tools/man/*.[478])
man_file   = $(mandir)/man$(subst .,,$(suffix $(1)))/$(notdir $(1))

# $(call for_man_links,COMMAND) - a shell command, run for each $$link to a $$page
for_man_links = for page in lib/man/*.3; do \
	tools/man/page names "$$page" | sed 1d | while read -r name; do \
		page=$${page\#\#*/} link='$(DESTDIR)$(mandir)/man3'/"$$name.3"; \
		$(1) || exit; \
	done || exit; \
done

install-man:
	$(call say,INSTALL,$(mandir))
	$(Q)$(foreach page,$(man_pages),$(call put,644,$(page),$(call man_file,$(page))) &&) :
	$(Q)$(call for_man_links,ln -sfn "$$page" "$$link")

# The node belongs to a group of its own, made here unless we fill a package.
install-udev:
	$(call say,INSTALL,$(udevdir)/60-npumem.rules)
	$(Q)$(call put,644,tools/udev/60-npumem.rules,$(udevdir)/60-npumem.rules)
	$(Q)$(call put,644,tools/udev/npumem.conf,$(sysusers)/npumem.conf)
	$(Q)[ -n '$(DESTDIR)' ] || getent group npumem >/dev/null || \
		groupadd --system npumem || \
		echo "make: could not make the group npumem: /dev/npumem stays root's" >&2
	$(Q)[ -n '$(DESTDIR)' ] || udevadm control --reload 2>/dev/null || :

install-module: module
	$(call say,INSTALL,/lib/modules/$(call kernel_release,$(KDIR))/updates/npumem.ko)
	$(Q)$(call put,644,kernel/npumem.ko,/lib/modules/$(call kernel_release,$(KDIR))/updates/npumem.ko)
	$(Q)[ -n '$(DESTDIR)' ] || depmod '$(call kernel_release,$(KDIR))'

# Not a part of install: either make builds the module or dkms does.
.PHONY: install-dkms
install-dkms:
	$(call say,INSTALL,$(dkmsdir))
	$(Q)for file in kernel/Kbuild kernel/*.[ch] include/uapi/npumem.h; do \
		install -D -m 644 "$$file" '$(DESTDIR)$(dkmsdir)'/"$$file" || exit; \
	done
	$(Q)sed 's/#MODULE_VERSION#/$(version)/' kernel/dkms.conf >'$(DESTDIR)$(dkmsdir)/dkms.conf'

uninstall:
	$(Q)$(call for_man_links,rm -f "$$link")
	$(Q)$(call remove,$(sbindir)/npumemctl $(foreach page,$(man_pages),$(call man_file,$(page))) \
		$(pcdir)/npumem-ascendcl.pc $(libdir)/libascendcl.so \
		$(udevdir)/60-npumem.rules $(sysusers)/npumem.conf)
	$(Q)rm -rf '$(DESTDIR)$(includedir)'
	$(Q)[ ! -d '$(DESTDIR)$(libdir)' ] || rmdir --ignore-fail-on-non-empty '$(DESTDIR)$(libdir)'
	$(Q)rm -f '$(DESTDIR)'/lib/modules/*/updates/npumem.ko
	$(Q)[ -n '$(DESTDIR)' ] || for dir in /lib/modules/*/; do \
		depmod "$$(basename "$$dir")" || :; \
	done

clean:
	$(Q)rm -rf build kernel/npumem.ko lib/libascendcl.so tools/npumemctl

# The kernels are kept outside of this folder: only outdated ones go.
distclean: clean
	$(Q)tools/vm/kernel clean

define help_text
npumem $(version): memory of NPU devices, shared between processes

Build
  make              the library, the tools, the module for the running kernel
  make lib          build/lib/libascendcl.so (linked from lib/)
  make tools        build/tools/npumemctl (linked from tools/)
  make module       kernel/npumem.ko; KDIR=FOLDER for another kernel's headers
  make modules      build/modules/K/npumem.ko for each K of KERNELS="$(KERNELS)",
                    the kernels of the virtual machine, which are downloaded
  make install      all of that; PREFIX=$(PREFIX), DESTDIR= for packages
                    parts: $(parts)
  make install-dkms the module's source for dkms: then "dkms install npumem/$(version)"
  make uninstall
  make clean        remove what was built
  make packages     build/packages/*.deb; tools/packaging/README.md tells more
  make rpm          build/packages/rpm/RPMS/*/*.rpm
  make distclean    also outdated kernels in the cache

Try, in a virtual machine; as root these install the Debian packages they need
  make demo         processes share memory, step by step, each step verified
  make vm           a shell in the machine, with npumem loaded
  make vm RUN='COMMAND'
                    a command in it: the current folder is at the same path.
                    KERNEL=5.10|6.1|6.12|newest, ARCH=arm64, MEM=4G, CPUS=2, DEVICES=2, TIMEOUT=seconds
  make bench        instructions that sharing memory takes by npumem and by all else
                    there is, side by side, beside the targets; build/bench.json
  make bench-plot   tools/bench/costs.svg, of how costs grow, from its numbers
  make bench-profile STEP=export
                    in which functions the instructions of a step go: query, export,
                    import, create, map, cycle
  make bench-copies instructions per copy of device memory, beside memcpy
  make check        static checks and all tests, on each kernel;
                    KERNELS='6.1 arm64-6.1' on these only
  make check-all    the same, and what takes longer
  make fuzz         random calls, their results compared with a model's, for
                    SECONDS=3600, from SEED=; KERNEL=debug-6.12. On failure it prints
                    the shortest list of calls found, which FUZZ='--replay FILE' runs

Variables: V=1 shows the commands, W=1 more warnings in the module,
CC, CFLAGS, CPPFLAGS, LDFLAGS for the library and the tools.

  make -j4
  make module KDIR=/usr/src/linux-headers-6.12.0-amd64
  make install DESTDIR=/tmp/root PREFIX=/usr
  make modules KERNELS=6.12 W=1
  make vm RUN='tools/npumemctl status' KERNEL=6.1 DEVICES=4
  cc -Iinclude prog.c -Llib -lascendcl && make vm RUN=./a.out
endef

help:
	$(info $(help_text))
	@:

endif
