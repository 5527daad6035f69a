"""``plmrec profile | match``: a person's interests and what they rest on, and the items for one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

import typer

from plmrec.cli import output
from plmrec.cli.main import app

_BEHIND: Final = 3  # items shown behind each tag; --json holds all
_LONGEST: Final = 120  # characters of a passage


@app.command()
def profile(
    user: Annotated[str, typer.Argument(help="Id of the user, as in the dataset.")],
    n_tags: Annotated[
        int, typer.Option("--tags", min=1, help="Tags to show, the strongest for and against.")
    ] = 15,
    as_json: output.JsonOption = False,
) -> None:
    """Show a person's interests: tags with weights, and the interactions behind each."""
    from plmrec.app.profile import profile as run

    found = run(user)
    if as_json:
        output.print_json(found)
        return
    shown = sorted(found["tags"], key=lambda tag: -abs(tag["weight"]))[:n_tags]
    names = Counter(tag["name"] for tag in found["tags"])
    rows = [
        {
            "tag": tag["name"] if names[tag["name"]] == 1 else tag["tag_id"],
            "weight": f"{tag['weight']:+.3f}",
            "because of": _behind(tag["because"]),
        }
        for tag in found["tags"]
        if tag in shown
    ]
    title = f"Interests of {user}, {_made_by(found)}"
    output.print_table(rows, ["tag", "weight", "because of"], title=title)
    _say(
        f"{found['n_matching']:,} of {found['n_items']:,} items are nearer to this person than "
        f"the threshold, cosine {found['threshold']:g}; {len(shown)} of {len(found['tags'])} tags "
        "are shown"
    )


@app.command()
def match(
    tag: Annotated[str, typer.Argument(help="Id or name of a tag of the taxonomy.")],
    k: Annotated[int, typer.Option("--k", min=1, max=1000, help="How many items.")] = 10,
    as_json: output.JsonOption = False,
) -> None:
    """List the items for a tag: how strongly each carries it, and the passage that says so."""
    from plmrec.app.match import match as run

    found = run(tag, k)
    if as_json:
        output.print_json(found)
        return
    rows = [
        {
            **row,
            "strength": f"{row['strength']:.3f}",
            "similarity": f"{row['similarity']:.3f}",
            "label": "yes" if row["is_label"] else "",
            "passage": output.spoken(row, row["passage"] or "", longest=_LONGEST),
        }
        for row in found["items"]
    ]
    title = f"Items for {found['name']} ({found['tag_id']}), {_made_by(found)}"
    columns = ["rank", "item_id", "title", "strength", "similarity", "label", "passage"]
    output.print_table(rows, columns, title=title)
    _say(f"{len(rows)} of {found['n_items']:,} items with this tag")
    if found["also"]:
        _say(f"Other tags of this name: {', '.join(found['also'])}")


def _made_by(found: Mapping[str, Any]) -> str:
    """Name the taxonomy and the encoder that made tags what they are."""
    taxonomy, encoder = found["taxonomy"], found["encoder"]
    source = f"taxonomy version {taxonomy['version']}" if taxonomy else f"by {found['kind']}"
    return f"{source}, encoder {encoder['name']} {encoder['fingerprint'][:12]}"


def _behind(because: Sequence[Mapping[str, Any]]) -> str:
    """Name the items that add most, with what the person did with each."""
    words = [
        f"{each['adds']:+.3f} “{each['title']}” {_did(each['events'])}"
        for each in because[:_BEHIND]
    ]
    more = [f"{len(because) - _BEHIND} more"] if len(because) > _BEHIND else []
    return "; ".join([*words, *more])


def _did(events: Sequence[Mapping[str, Any]]) -> str:
    """What was done with one item, in order of time."""
    words = []
    for each in events:
        value = "" if each["value"] is None else f" {each['value']:g}"
        felt = "" if each["sentiment"] is None else f" ({each['sentiment']:+.2f})"
        day = "" if each["timestamp"] is None else f" {each['timestamp'][:10]}"
        words.append(f"{each['event']}{value}{felt}{day}")
    return ", ".join(words)


def _say(text: str) -> None:
    output.out.print(text, highlight=False, markup=False)
