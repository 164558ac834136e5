"""The commands of eau2: what each is for, and examples of it.

Owns: their names and order in the help, and the words of both. Does not know: their options
(options.py), what they do (cli.py).
"""

from __future__ import annotations

COMMANDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "query": (
        "run statements and print what they give",
        (
            'eau2 query "SELECT station, sum(a) FROM df GROUP BY station"',
            "eau2 query -f setup.sql -f report.sql --format csv > report.csv",
            "eau2 query 'SELECT * FROM df WHERE a > $least' --param least=100",
            "cat report.sql | eau2 query --connect eau2://127.0.0.1:7700",
        ),
    ),
    "load": (
        "store files as a frame",
        (
            "eau2 load df examples/df.csv",
            "eau2 load trips 2025/*.parquet 2026/*.parquet",
            "eau2 load df newer.csv --replace",
        ),
    ),
    "export": (
        "write a frame or view to a file",
        (
            "eau2 export df df.parquet",
            "eau2 export df df.csv --force",
        ),
    ),
    "tables": ("list the frames and views", ("eau2 tables", "eau2 tables --format csv")),
    "describe": (
        "list the columns of a frame or view",
        ("eau2 describe df", "eau2 describe df --format json"),
    ),
    "drop": ("drop a frame", ("eau2 drop df", "eau2 drop df --store ~/data")),
    "backup": (
        "copy all frames, views and functions to a folder, each file verified",
        (
            "eau2 backup /backups/monday",
            "eau2 backup /backups/monday --connect eau2://127.0.0.1:7700",
        ),
    ),
    "restore": (
        "bring frames, views and functions back from a backup",
        (
            "eau2 restore /backups/monday --store fresh",
            "eau2 restore /backups/monday df trips --replace",
        ),
    ),
    "run": (
        "run a program in Python over the store",
        (
            "eau2 run examples/word_count.py",
            "eau2 run report.py --connect eau2://127.0.0.1:7700 -- 2026 --all",
        ),
    ),
    "shell": (
        "type statements at a prompt",
        ("eau2 shell", "eau2 shell --connect eau2://127.0.0.1:7700", "eau2 shell < report.sql"),
    ),
    "node": (
        "run a node until it is told to stop",
        (
            "eau2 node --data n1 --voters 3",
            "eau2 node --data n2 --listen 127.0.0.1:7701 --join 127.0.0.1:7700",
        ),
    ),
    "node drain": (
        "have a node hand over what it holds, so that it can be stopped",
        ("eau2 node drain n3", "eau2 node drain n3 --timeout 600"),
    ),
    "node undrain": (
        "take a node back that was drained or removed",
        ("eau2 node undrain n3", "eau2 node undrain n3 --connect eau2://127.0.0.1:7701"),
    ),
    "node remove": (
        "do without a node that will not come back",
        ("eau2 node remove n3", "eau2 node remove n3 --yes"),
    ),
    "cluster": (
        "run several nodes on this machine, to try them out",
        ("eau2 cluster", "eau2 cluster --nodes 5 --data ring --data-root examples"),
    ),
    "cluster status": (
        "say how the nodes of a store are, and what may fail",
        ("eau2 cluster status", "eau2 cluster status --connect eau2://127.0.0.1:7701"),
    ),
    "torture": (
        "run the store's code under simulated faults",
        ("eau2 torture --seeds 20", "eau2 torture copies --seed 7", "eau2 torture --minutes 5"),
    ),
    "explain": (
        "say what an error's code means, and what to do",
        ("eau2 explain E1004", "eau2 explain e4001"),
    ),
    "completion": (
        "print what completes commands and options in a shell",
        (
            "source <(eau2 completion bash)          in ~/.bashrc",
            "source <(eau2 completion zsh)           in ~/.zshrc, after compinit",
            "eau2 completion fish > ~/.config/fish/completions/eau2.fish",
        ),
    ),
    "version": (
        "print the versions of eau2 and of what it stands on",
        ("eau2 version", "eau2 version --connect eau2://127.0.0.1:7700"),
    ),
}
