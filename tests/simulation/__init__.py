"""One-seed simulation: the real use cases over vendors, a table and a clock in memory.

A *history* is data: a configuration, and steps (people, workers with their faults, waiting) made
from one seed. Playing it uses no chance of its own, so a failing history can be cut down step by
step. After the last step faults end, the world comes to rest, and the oracles are asked.

Beside the random ones stands a *small world*: one linked issue without faults, of which every
history of a few steps is played, and judged by a reference that shares nothing with the engine.
"""
