# SPDX-License-Identifier: MIT
#
# How costs grow, from the tables in build/bench: make bench-plot

set terminal svg size 1280,1350 font 'sans-serif,13' background '#ffffff'
set datafile missing '-'
set multiplot layout 3,2 title 'What sharing memory costs; all axes are logarithmic'
set logscale xy
set grid
set key Left reverse noenhanced samplen 1.5
set ylabel 'instructions'
set format x '%g'
set format y '10^{%L}'

file(name) = sprintf('build/bench/%s.dat', name)
# Ours and those through the library stand out.
color(i) = word('#d62728 #ff9896 #7f7f7f #9467bd #1f77b4 #2ca02c #8c564b', i)
width(i) = i == 1 ? 3 : 1.5

set title 'The whole cycle, one handle: per 2 MiB'
set xlabel 'MiB'
set key outside right top
set xrange [1.5:1400]
set yrange [1e5:2e7]
plot for [i=1:7] file('size') using 1:i+1 with linespoints linecolor rgb color(i) \
	linewidth width(i) pointtype 7 pointsize 0.6 title columnheader(i+1)

# The sizes are in MiB, of which a handle has two.
set title 'The whole cycle, handles of 2 MiB: per handle'
set xlabel 'handles'
set xrange [0.7:700]
plot for [i=1:7] file('parts') using ($1/2):(column(i+1)) with linespoints \
	linecolor rgb color(i) linewidth width(i) pointtype 7 pointsize 0.6 \
	title columnheader(i+1)

# Import, reserve, map, unmap, release and free.
set title 'Import to free, in the importer: per handle'
set xlabel 'handles'
set key inside bottom left
set xrange [0.8:13000]
set yrange [1e3:1e5]
plot for [i in '1 5'] file('handles') using 1:int(i)+1 with linespoints \
	linecolor rgb color(int(i)) linewidth width(int(i)) pointtype 7 pointsize 0.6 \
	title columnheader(int(i)+1)

# Reserve, map, touch, unmap and release.
set title 'Cycle of 2 MiB in each process: per cycle'
set xlabel 'processes'
set key outside right top
set xrange [0.9:70]
set yrange [1e3:1e7]
plot for [i=1:7] file('processes') using 1:i+1 with linespoints linecolor rgb color(i) \
	linewidth width(i) pointtype 7 pointsize 0.6 title columnheader(i+1)

set title 'Whitelist in one request: per process'
set xlabel 'processes let in'
set key inside top right
set xrange [0.8:80000]
set yrange [1e2:1e4]
plot file('pids') using 1:2 with linespoints linecolor rgb color(1) linewidth 3 \
	pointtype 7 pointsize 0.6 title columnheader(2)

# Columns as many_write() has them.
set title 'One of many, with a granule of a page: each'
set xlabel 'shares, handles and mappings'
set key outside right top
set xrange [0.8:130000]
set yrange [5e2:1e4]
plot for [i=2:6] 'build/bench/many' using 1:i with linespoints linewidth 1.5 \
	pointtype 7 pointsize 0.6 \
	title word('import find-handle find-mapping map unmap', i-1)
