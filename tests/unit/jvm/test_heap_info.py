"""The heap's use as each collector words it; the texts are those of JVMs 11 to 25."""

from __future__ import annotations

import pytest

from jvmdiag.jvm.heap_info import heap_used_bytes

SERIAL = """ def new generation   total 78656K, used 45213K [0x00000000f0000000, 0x00000000f5550000)
  eden space 69952K,  64% used [0x00000000f0000000, 0x00000000f2c27730, 0x00000000f4450000)
 tenured generation   total 174784K, used 12K [0x00000000f5550000, 0x0000000100000000)
   the space 174784K,   0% used [0x00000000f5550000, 0x00000000f5550000, 0x00000000f5550200)
 Metaspace       used 4768K, capacity 4926K, committed 5120K, reserved 1056768K
"""
G1_25 = "garbage-first heap   total reserved 262144K, committed 262144K, used 39936K [0x00000000f0000000)\n"
Z_11 = """ ZHeap           used 72M, capacity 256M, max capacity 256M
 Metaspace       used 4774K, capacity 4886K, committed 5120K, reserved 8192K
"""
Z_25 = """ZHeap            used 48M, capacity 256M, max capacity 256M
 Cache           208M (5)
  size classes   2M (2), 4M (1), 8M (1), 128M (1)
"""
SHENANDOAH = """Shenandoah Heap
 256M max, 256M soft max, 256M committed, 36369K used
 1024 x 256 K regions
"""


@pytest.mark.parametrize(
    ("text", "used_bytes"),
    [
        (SERIAL, (45213 + 12) << 10),
        (G1_25, 39936 << 10),
        (Z_11, 72 << 20),
        (Z_25, 48 << 20),
        (SHENANDOAH, 36369 << 10),
        ("", None),
        ("java.lang.OutOfMemoryError\n Metaspace used 1K\n", None),
    ],
)
def test_the_use_of_the_heap_alone_is_counted(text: str, used_bytes: int | None) -> None:
    assert heap_used_bytes(text) == used_bytes
