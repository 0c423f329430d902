"""One engine for all that is worked on in lanes: callbacks of a conference in order, what one person hears, …

A lane is whatever only one worker may work on at a time. The engine leases it, renews the lease while the worker lives,
lists when somebody has to look at it next, finds it again when its worker dies or a wake-up is lost, and bounds how
many are worked on at once. What a lane *is*, what is to be done in it and what of it is kept is its kind's own.

**A new kind of lane**
1. A row among the topics of `jobs/wakeups.py`: `DIALLING = Topic("dialling")`. Its name is the kind's in RQ and in the
   keys `lanes:dialling:due` and `lane:{SID}:dialling:NAME` (store/schema.py has both already).
2. A function that does what is to be done now, and may be called once too often:

       def work(lease: LaneLease, found: object) -> int | None:
           due_ms = …          # load lease.lane, do the next steps, save what became of them
           return due_ms       # look again then (ms since 1970); None: not before somebody wakes the lane

   It raises LeaseLost if it finds that another has the lane by now, and Unavailable if Redis is away: then it is
   done again. A moment that has passed ("now") sends the lane to the back of the queue: use it after so many seconds
   or steps, so that no lane keeps others waiting. Anything else that it raises is a defect: logged, tried again after
   BROKEN_MS.
3. A store: `LaneStore(client, "dialling")`, or a subclass of it where leasing reads the lane in the same step (`take`),
   or where a sweep can see that a lane is empty (`list_empty`) or was forgotten (`save_forgotten`). What `work` saves
   is to be refused by Redis when the lease is another's: `lua/shared/lease.lua`.
4. Its row in processes/worker.py, and its queue's place among the worker's: what comes first is taken first.

Whoever has something for a lane writes it, puts the lane on the list of what is due soon (`keys.lanes_due(kind)`), and
wakes it (`Wakeups.wake([Lane(sid, name)])`): the list makes up for a wake-up that is lost. A lane that is woken while
it is leased is looked at once more by whoever leases it. Lanes of one kind share the places in a process
(`lanes_at_once`); fairness between accounts is the kind's own (`callbacks/drain.py`).
"""
