# SPDX-License-Identifier: GPL-2.0-or-later
# Leaves of a trace what its story needs: sed -Ef test/sim/stories/brief.sed
# What the kernel asks is seen again where the core is asked, and what the hot maps answer concerns nobody else.
/^.{17}(kernel (has answer|[A-Z_]+ [0-9]+ \+|[A-Z]+: error)|asked, |view, nodes |lock [0-9]+ of mirror )/d
/^.{17}m[0-9]+ [0-9]+ ([<>] timer|> no timer)/d
/^.{17}m[0-9]+ [0-9]+ ([<>]|> reply) (GET_REGION_SIZE|GET_SYNC_COUNT|STATUS)/d
# Times of the nodes' own clocks and the kernel's numbers differ from run to run of a real cluster and say nothing here.
s/^(.{17}m[0-9]+ [0-9]+ <.*) at [0-9]+ ms$/\1/
s/^(.{17}m[0-9]+ [0-9]+ [<>].*) seq [0-9]+/\1/
# One mirror, one table.
s/^(.{17})m0 0 ([<>])/\1\2/
