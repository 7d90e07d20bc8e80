//! Alert rules, state machine, events and outbox. Pure: step(now, results) -> events.
