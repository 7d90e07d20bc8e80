//! Prometheus' API as its own clients speak it: promtool, another Prometheus, its editor, Grafana; and what goes wrong.

mod bad_input;
mod editor;
mod fixture;
mod grafana;
mod observed;
mod promtool;
mod remote_read;
