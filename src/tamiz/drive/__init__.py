"""Where the filter engine and the stack meet.

Input: operations of a host (`tamiz.stack`), captures (`tamiz.sources`), a policy's engine (`tamiz.engine`). Output: the
steps of a trace, the tallies of a replay. `node` is the one loop; `world` joins two hosts; `replay` walks captures.
"""
