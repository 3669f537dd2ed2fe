"""The one `MetaData` that the tables of this folder hang on, and the column type for times.

Each table lives in the file of its name, beside its record and its queries. Nothing here is special to SQLite: what
SQLAlchemy Core cannot say for PostgreSQL as well is not said.
"""

from __future__ import annotations

from sqlalchemy import Double, MetaData

metadata = MetaData()

#: Seconds since the epoch, UTC. A float keeps microseconds until the year 2255 and needs no time zone.
Seconds = Double
