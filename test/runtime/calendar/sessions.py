# Prints the sessions of the calendars of exchange_calendars, an independent library: name, day, open, close in ms.
import sys

import exchange_calendars

first, last, *names = sys.argv[1:]
for name in names:
    schedule = exchange_calendars.get_calendar(name, start=first, end=last).schedule
    for day, opened, closed in zip(schedule.index, schedule["open"], schedule["close"]):
        print(name, day.date(), int(opened.timestamp() * 1000), int(closed.timestamp() * 1000))
