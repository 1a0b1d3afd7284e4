"""Tasks and what they write. Every function runs inside one transaction.

Opened (`openings`, `continued`), found by their runs (`claims`), below others (`lineage`,
`delegated`), written (`conversations`, `briefings`, `artifacts`), given files (`files`,
`uploads`), ended (`tasks`, `by_hand`), shown with what is below them (`orchestrations`,
`orders`). What they wait for before they go on: `places`, `pauses`.
"""
