"""A campaign's datasheet: what the flows are, how they were made, how many there are of what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from lab.activities.catalogue import KINDS
from lab.campaign import Record, Run

DATASHEET: Final = "DATASHEET.md"

TEXT: Final = """\
# Datasheet: flows of the testbed

{flows:,} labelled flows, {attacks:,} of attacks of {kinds} kinds and {benign:,} benign ones, in {runs}
files. `ml-ids lab campaign` wrote this text with the flows.

## Why they were made

Public sets come of one network each, leave out flows of one packet, and most may not be passed on. These
flows are for training and for trying on any machine, without a download. Figures on them tell how well
attacks of these tools in networks like these are found, and nothing about a network of your own.

## What they are

A file is a run of a [scenario](../../docs/lab.md#scenarios-of-your-own): hosts in network namespaces behind
one bridge, real servers, people and machines at work, and the attack tools themselves. The project's own
meter measured what crossed the bridge, in the dialect `improved`. A row is a flow:

- `src_ip`, `src_port`, `dst_ip`, `dst_port`, `protocol`, `start`, `end`, `end_reason`: who and when.
  Addresses are those of RFC 2544 and RFC 5180.
- the features of [docs/features.md](../../docs/features.md). Those that follow from others (means and
  rates) are not held; commands compute them. Whole numbers are exact, others are of float32.
- `young_fwd_pkts`, `young_bwd_pkts`, `young_fwd_byts`, `young_bwd_byts`, `young_rst`: the flow as it was
  when 2 s old. [Host context](../../docs/context.md) is counted from these by the kernel that serves.
- `provisional`: true for rows beside the others: flows that went on, as they were at 10 s and at 30 s.
- `label`: null where activities with different labels may be the cause, or none is.
- `scenario`, `activity`, `tool`, and `about`, JSON with all parameters: what made the flow.

The set is complete, and `campaign.json` says so: no flow of a capture is missing, those without a label are
kept.

{labels}

## What made the flows

{activities}

## How labels were given

They follow from the schedule: every activity claims the flows between its hosts, protocol, ports and time.
Nobody looked at flows. What may go wrong: a host's late answer after an activity's end counts as that
activity's for 3 s, and what an attack tool does that looks benign, such as fetching the first page, has the
attack's label.

## Conditions

{conditions}

All hosts are on one machine: round trips take microseconds, and the machine's load is in the times.

## Making it again

```bash
sudo .venv/bin/{command} --output {output}
```

The seed decides hosts, conditions, parameters and schedule. Packets are real, and their times new each
time.

## Terms

The flows are the project's own work, Apache 2.0 as [all of it](../../LICENSE). No person's traffic, name or
address is in them, and nothing of a published data set.
"""


def datasheet(record: Record, output: str = "data/lab") -> str:
    """Return the text of DATASHEET.md."""
    labels = record.labels
    activities = sum((Counter(run.activities) for run in record.runs), Counter[str]())
    attacks = sorted(
        (name for name in activities if not KINDS[name].benign), key=lambda name: -activities[name]
    )
    benign = sorted((name for name in activities if KINDS[name].benign), key=lambda name: -activities[name])
    unlabelled = sum((Counter(run.left_out) for run in record.runs), Counter[str]())
    counts = [(label, f"{count:,}") for label, count in labels.most_common()]
    counts += [(f"no label: {reason}", f"{count:,}") for reason, count in unlabelled.most_common()]
    counts += [("provisional rows", f"{sum(run.early for run in record.runs):,}")]
    return TEXT.format(
        flows=labels.total(),
        attacks=labels.total() - labels["Benign"],
        benign=labels["Benign"],
        kinds=len(attacks),
        runs=len(record.runs),
        labels=_table(("label", "flows"), counts),
        activities=_table(
            ("activity", "with", "label", "flows"),
            [
                (name, KINDS[name].tool, KINDS[name].label, f"{activities[name]:,}")
                for name in (*attacks, *benign)
            ],
        ),
        conditions=_table(
            ("file", "flows", "packets", "offloads", "mtu", "IPv6", "Mbit/s", "TCP options off"),
            [_conditions(run) for run in record.runs],
        ),
        command=record.command,
        output=output,
    )


def _conditions(run: Run) -> Sequence[str]:
    network = run.network
    options = [name for name in ("timestamps", "sack", "window_scaling") if not network[name]]
    return (
        f"`{run.file}`",
        f"{sum(run.labels.values()):,}",
        f"{run.packets:,}",
        "yes" if network["offloads"] else "no",
        str(network["mtu"]),
        "yes" if network["ipv6"] else "no",
        str(network["rate_mbit"] or "any"),
        ", ".join(options).replace("_", " ") or "none",
    )


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
