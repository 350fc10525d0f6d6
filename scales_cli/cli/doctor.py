"""`scales doctor`.

With `--json`, one object: "healthy", and "findings", each with name, status (ok, warning, broken), detail and values.
"""

from __future__ import annotations

import dataclasses

import scales_cli.cli.options as opt


def doctor(as_json: opt.Json = False) -> None:
    """Check this installation: versions, kernels, models, codecs.

    The exit code is 1 if something is broken.

    $ scales doctor         # a line for each check
    $ scales doctor --json  # the same for programs
    """
    from scales_cli.cli.console import print_json, print_wrapped
    from scales_cli.errors import ScalesError
    from scales_cli.health import examine

    findings = []
    for finding in examine():
        findings.append(finding)
        if not as_json:
            print_wrapped(f"{finding.status:<8} {finding.name}: {finding.detail}", 9)
    broken = [finding.name for finding in findings if finding.status == "broken"]
    if as_json:
        print_json({"healthy": not broken, "findings": [dataclasses.asdict(finding) for finding in findings]})
    if broken:
        raise ScalesError(f"broken: {', '.join(broken)}", "the lines above say what to do")
