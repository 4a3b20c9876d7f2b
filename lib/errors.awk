# SPDX-License-Identifier: MIT
#
# Makes ERRORS.md of causes.h, which comes second on the command line, after
# the header with the codes. See the target in the Makefile.

BEGIN {
	print "<!-- SPDX-License-Identifier: MIT -->"
	print "<!-- Made of causes.h: make -C lib ERRORS.md -->"
	print "# Errors\n"
	print "A call that fails returns a code, and `aclGetRecentErrMsg()` tells what was wrong: the"
	print "text of the calling thread's last failure, once, and `NULL` when nothing has failed since."
	print "It stays valid until the thread asks again. A call that succeeds leaves it alone.\n"
	print "A text is made of the function with its arguments, what is wrong, what to do, and the code:\n"
	print "    aclrtMapMem(virPtr=0x7f0000200000, size=2097152, offset=0, handle=0x9d21c3f800000001,"
	print "    flags=0x0): size: less than the memory has, and only all of it can be mapped; pass the"
	print "    size it was allocated with (error 107000)\n"
	print "Below, `…` stands for what differs from case to case. Where `ASCEND_RT_VISIBLE_DEVICES`"
	print "renumbers, a device is shown by both numbers, as in `deviceId=0 (npumem.2)`: the program's,"
	print "and the driver's, which `npumemctl status` and sysfs have. The calls that depend on the"
	print "thread's current device show it behind their arguments."
}

# ACL_DEFINE_CODE(ACL_ERROR_X, 107000)
match($0, /^ACL_DEFINE_CODE\([A-Z_]+, [0-9]+\)/) {
	split(substr($0, 17, RLENGTH - 17), part, ", ")
	number[part[1]] = part[2]
}

# A comment in one line begins a topic.
FILENAME ~ /causes\.h$/ && FNR > 1 && /^\/\* .* \*\/$/ {
	print "\n## " substr($0, 4, length($0) - 6) "\n"
	print "| code | name | what is wrong | what to do |"
	print "| --- | --- | --- | --- |"
}

/^#define CAUSE_/ { text = "" ; inside = 1 }

inside {
	line = $0
	more = sub(/ *\\$/, "", line)
	sub(/^\t */, " ", line)
	text = text line
	if (!more) {
		row(text)
		inside = 0
	}
}

function cell(literal)
{
	gsub(/" +"/, "", literal)
	gsub(/\\"/, "\001", literal)
	gsub(/"/, "", literal)
	gsub("\001", "\"", literal)
	gsub(/^ +/, "", literal)
	gsub(/%[0-9.]*[a-z]*[duxsX]/, "…", literal)
	gsub(/[*|<]/, "\\\\&", literal)
	return literal
}

# #define CAUSE_X CAUSE(CODE, "...", "..." "...")
function row(text,	name, comma)
{
	sub(/^.* CAUSE\(/, "", text)
	sub(/\)$/, "", text)
	name = text
	sub(/,.*/, "", name)
	sub(/^[^,]*, */, "", text)
	comma = match(text, /",[ ]+"/)
	if (!(name in number) || !comma) {
		print FILENAME ": cannot read: " name ", " text > "/dev/stderr"
		exit 1
	}
	print "| " number[name] " | " name " | " cell(substr(text, 1, RSTART)) " | " \
		cell(substr(text, RSTART + 2)) " |"
}
