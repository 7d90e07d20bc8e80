//! Messages of protobuf, written by hand: field numbers and wire types as the protocols say.

use crate::edge::NOW_MS;

/// A field of a message that is itself bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, bytes.len() as u8], bytes].concat()
}

/// A field that is a whole number.
fn whole(number: u8, value: u64) -> Vec<u8> {
    let mut bytes = vec![number << 3];
    let mut left = value;
    while left >= 0x80 {
        bytes.push(left as u8 | 0x80);
        left >>= 7;
    }
    bytes.push(left as u8);
    bytes
}

/// A sample: value and instant.
fn sample(ts: i64, value: f64) -> Vec<u8> {
    [&[9][..], &value.to_le_bytes(), &whole(2, ts as u64)].concat()
}

/// A `prometheus.WriteRequest` with two series, written by hand: field numbers and wire types as the protocol says.
pub(super) fn remote_write_1() -> Vec<u8> {
    let label = |name: &str, value: &str| {
        field(
            1,
            &[field(1, name.as_bytes()), field(2, value.as_bytes())].concat(),
        )
    };
    let series = |instance: &str, value: f64| {
        let parts = [
            label("__name__", "up"),
            label("instance", instance),
            field(2, &sample(NOW_MS - 1000, value)),
            field(2, &sample(NOW_MS, f64::NAN)),
        ];
        field(1, &parts.concat())
    };
    [series("a", 1.5), series("b", -0.0)].concat()
}

/// An `io.prometheus.write.v2.Request` with two series.
pub(super) fn remote_write_2() -> Vec<u8> {
    let symbols = ["", "__name__", "up", "instance", "a", "b", "Whether it is up."];
    let symbols: Vec<u8> = symbols
        .iter()
        .flat_map(|symbol| field(4, symbol.as_bytes()))
        .collect();
    let series = |instance: u8, value: f64| {
        let metadata = [whole(1, 2), whole(3, 6)].concat();
        let parts = [
            field(1, &[1, 2, 3, instance]),
            field(2, &sample(NOW_MS - 1000, value)),
            field(2, &sample(NOW_MS, f64::NAN)),
            field(5, &metadata),
        ];
        field(5, &parts.concat())
    };
    [symbols, series(4, 1.5), series(5, -0.0)].concat()
}

/// A `prometheus.ReadRequest` with two queries, of a client that takes these types of answers.
pub(super) fn remote_read(answers: &[u8]) -> Vec<u8> {
    let matcher = |kind: u64, name: &str, value: &str| {
        let parts = [
            whole(1, kind),
            field(2, name.as_bytes()),
            field(3, value.as_bytes()),
        ];
        field(3, &parts.concat())
    };
    let query = |matchers: &[Vec<u8>]| {
        let range = [whole(1, (NOW_MS - 600_000) as u64), whole(2, NOW_MS as u64)];
        field(1, &[range.concat(), matchers.concat()].concat())
    };
    let queries = [
        query(&[matcher(0, "__name__", "up"), matcher(2, "instance", "a|b")]),
        query(&[matcher(1, "job", ""), matcher(3, "instance", "[ab]")]),
    ];
    let types = match answers {
        [] => Vec::new(),
        types => field(2, types),
    };
    [queries.concat(), types].concat()
}

/// A `prometheus.ReadResponse` with one series.
pub(super) fn remote_read_answer() -> Vec<u8> {
    let label = [field(1, b"__name__"), field(2, b"up")].concat();
    let series = [field(1, &label), field(2, &sample(NOW_MS, 1.5))].concat();
    field(1, &field(1, &series))
}
