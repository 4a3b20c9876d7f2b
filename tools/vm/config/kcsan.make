# SPDX-License-Identifier: MIT
#
# What is watched: modules, as they are compiled without this file, and of the kernel
# the code that our data goes through. Watching the rest as well would leave next to
# no watchpoints for us, and report the kernel's own races.
override KCSAN_SANITIZE := n

# Containers and counters
override KCSAN_SANITIZE_interval_tree.o := y
override KCSAN_SANITIZE_maple_tree.o := y
override KCSAN_SANITIZE_radix-tree.o := y
override KCSAN_SANITIZE_rbtree.o := y
override KCSAN_SANITIZE_refcount.o := y
override KCSAN_SANITIZE_rhashtable.o := y
override KCSAN_SANITIZE_xarray.o := y

# Locks, for the order that they give
override KCSAN_SANITIZE_mutex.o := y
override KCSAN_SANITIZE_percpu-rwsem.o := y
override KCSAN_SANITIZE_rwsem.o := y
override KCSAN_SANITIZE_spinlock.o := y
