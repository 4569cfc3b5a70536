from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time


def test_a_child_that_dies_is_started_again_and_all_end_with_the_supervisor(tmp_path):
    # the children are stand-ins: `python -m qagate NAME` is replaced by a small program that notes its pid
    script = tmp_path / "supervise.py"
    script.write_text(
        textwrap.dedent(f"""
        import pathlib, subprocess, sys
        from qagate.work import supervisor
        program = "import os,time,pathlib; p=pathlib.Path({str(tmp_path)!r}); " \\
            "(p/('%s.%d'%(__import__('sys').argv[1], os.getpid()))).touch(); time.sleep(60)"
        popen = subprocess.Popen
        subprocess.Popen = lambda a, **k: popen([sys.executable, "-c", program, a[3]], **k)
        sys.exit(supervisor.Supervisor({{"one": ["one"], "two": ["two"]}}).run())
        """)
    )
    process = subprocess.Popen([sys.executable, str(script)])

    def pids(name: str) -> list[int]:
        return [int(p.suffix[1:]) for p in tmp_path.glob(f"{name}.*")]

    def wait(condition) -> None:
        end = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < end
            time.sleep(0.05)

    wait(lambda: pids("one") and pids("two"))
    (two,) = pids("two")
    os.kill(pids("one")[0], signal.SIGKILL)
    wait(lambda: len(pids("one")) == 2)
    assert pids("two") == [two]  # the other was left alone
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    for pid in (*pids("one"), two):
        wait(lambda pid=pid: not os.path.exists(f"/proc/{pid}"))
