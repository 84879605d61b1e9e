"""The artifacts of a storage: which there are, why one is there, and which no run needs any more.

list              every artifact, the runs that name it and its size
why FINGERPRINT   what it was made from, by which command and configuration, and what rests on it
gc                remove what no run names; the artifacts of a run go when its folder under runs/ is removed
"""

from collections.abc import Sequence

import yaml

from slam_ray.cli.arguments import Parser
from slam_ray.config import default_storage, storage_of


def main(argv: Sequence[str]) -> int:
    """List artifacts, explain one, or remove those that no run names."""
    parser = Parser("slam-ray artifacts", __doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="list | why | gc")
    for name in ("list", "why", "gc"):
        command = commands.add_parser(name)
        command.add_argument("--storage", default=default_storage(), help="storage of the runs")
        if name == "why":
            command.add_argument("fingerprint", help="as `list` shows it, or how it begins")
        if name == "gc":
            command.add_argument("--days", type=float, default=7.0, help="younger ones stay, for runs at work [7]")
            command.add_argument("--dry-run", action="store_true", help="only say what would be removed")
    given = parser.parse_args(argv)
    from slam_ray.store.inventory import collect, find, inventory, remove, why
    from slam_ray.store.storage import location

    kept = inventory(location(storage_of(given.storage, "--storage")))
    if given.command == "why":
        print(yaml.safe_dump(why(find(kept, given.fingerprint), kept), sort_keys=False, allow_unicode=True), end="")
        return 0
    shown = kept if given.command == "list" else collect(kept, given.days)
    for each in shown:
        print(f"{each.name:<48}  {each.state:<20}  {each.size / 1e6:9.1f} MB  {', '.join(each.runs)}".rstrip())
        if given.command == "gc" and not given.dry_run:
            remove(each)
    ending = "" if given.command == "list" else (" would be removed" if given.dry_run else " removed")
    print(f"{len(shown)} of {len(kept)} artifacts, {sum(each.size for each in shown) / 1e6:.1f} MB{ending}")
    return 0
