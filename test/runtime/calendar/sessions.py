# Prints the sessions of the calendars of exchange_calendars, an independent library: name, day, open, close in ms.
import sys

import exchange_calendars

first, last, *names = sys.argv[1:]
for name in names:
    schedule = exchange_calendars.get_calendar(name, start=first, end=last).schedule
    for day, row in schedule.iterrows():
        print(name, day.date(), int(row["open"].timestamp() * 1000), int(row["close"].timestamp() * 1000))
