//! What clients of PostgreSQL's protocol send besides SQL: messages, and the values that they bind.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use arrow::datatypes::{DataType, IntervalUnit, Schema, TimeUnit};
use barograph::postgres::{FrameLimit, bound_values};
use barograph_query::sql::{CommandTag, Described, ScalarValue};
use bytes::{Buf, Bytes};
use futures::StreamExt;
use futures::executor::block_on;
use pgwire::api::portal::Portal;
use pgwire::api::stmt::StoredStatement;
use pgwire::api::{ClientInfo, DefaultClient, PgWireConnectionState, Type};
use pgwire::messages::PgWireFrontendMessage;
use pgwire::messages::extendedquery::Bind;
use pgwire::tokio::server::PgWireMessageServerCodec;
use tokio::io::{AsyncRead, ReadBuf};
use tokio_util::codec::Framed;

/// Bytes that are read before the messages, to know whether a client asks for encryption.
const AHEAD_BYTES: usize = 8;

/// What a client says of a value.
pub(crate) static TYPES: [Type; 24] = [
    Type::INT8,
    Type::TEXT,
    Type::FLOAT8,
    Type::TIMESTAMPTZ,
    Type::TIMESTAMP,
    Type::INTERVAL,
    Type::NUMERIC,
    Type::DATE,
    Type::TIME,
    Type::BOOL,
    Type::CHAR,
    Type::INT2,
    Type::INT4,
    Type::FLOAT4,
    Type::BYTEA,
    Type::UUID,
    Type::JSON,
    Type::TEXT_ARRAY,
    Type::INT8_ARRAY,
    Type::BOOL_ARRAY,
    Type::FLOAT8_ARRAY,
    Type::NUMERIC_ARRAY,
    Type::TIMESTAMPTZ_ARRAY,
    Type::UNKNOWN,
];

/// What a statement says of it.
fn known() -> [Option<DataType>; 14] {
    [
        None,
        Some(DataType::Int64),
        Some(DataType::Utf8),
        Some(DataType::Float64),
        Some(DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()))),
        Some(DataType::Timestamp(TimeUnit::Nanosecond, None)),
        Some(DataType::Interval(IntervalUnit::MonthDayNano)),
        Some(DataType::Duration(TimeUnit::Nanosecond)),
        Some(DataType::Decimal128(10, 2)),
        Some(DataType::Decimal128(10, -2)),
        Some(DataType::Date32),
        Some(DataType::UInt8),
        Some(DataType::Boolean),
        Some(DataType::new_list(DataType::Int64, true)),
    ]
}

/// Reads the messages of a connection, in pieces of several lengths: however they come, they are the same.
pub(crate) fn messages(bytes: &[u8]) {
    let Some((ahead, rest)) = bytes.split_at_checked(AHEAD_BYTES) else {
        return;
    };
    let single = read(ahead, rest, 1);
    for step in [7, usize::MAX] {
        let other = read(ahead, rest, step);
        // What is wrong in a piece hides what comes before it in the same piece.
        assert!(
            single.messages.starts_with(&other.messages),
            "{single:?} and {other:?}"
        );
        assert!(
            single.is_cancel || other.error.is_some() == single.error.is_some(),
            "{single:?} and {other:?}"
        );
        assert!(other.error.is_some() || other.messages.len() == single.messages.len());
    }
}

/// What a connection has said.
#[derive(Debug, Default)]
struct Heard {
    messages: Vec<String>,
    error: Option<String>,
    /// Nothing is read behind one.
    is_cancel: bool,
}

fn read(ahead: &[u8], rest: &[u8], step: usize) -> Heard {
    let pieces = Pieces {
        rest: Bytes::copy_from_slice(rest),
        step,
    };
    let stream = FrameLimit::new(ahead.to_vec(), tokio::io::join(pieces, tokio::io::sink()));
    let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 5432));
    let codec = PgWireMessageServerCodec::<()>::new(DefaultClient::new(peer, false));
    let mut socket = Framed::new(stream, codec);
    socket.set_state(PgWireConnectionState::AwaitingStartup);
    let mut heard = Heard::default();
    let mut has_password = false;
    while let Some(message) = block_on(socket.next()) {
        let message = match message {
            Ok(message) => message,
            Err(error) => {
                heard.error = Some(error.to_string());
                break;
            }
        };
        heard.messages.push(format!("{message:?}"));
        match message {
            PgWireFrontendMessage::Startup(_) => socket.set_state(PgWireConnectionState::ReadyForQuery),
            PgWireFrontendMessage::CancelRequest(_) => {
                heard.is_cancel = true;
                break;
            }
            // The first says how the client proves who it is, the next ones do.
            PgWireFrontendMessage::PasswordMessageFamily(password) if !has_password => {
                has_password = true;
                drop(password.into_sasl_initial_response());
            }
            PgWireFrontendMessage::PasswordMessageFamily(password) => drop(password.into_sasl_response()),
            _ => {}
        }
    }
    heard
}

/// Gives some bytes at a time.
struct Pieces {
    rest: Bytes,
    step: usize,
}

impl AsyncRead for Pieces {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let taken = self.rest.len().min(buffer.remaining()).min(self.step);
        buffer.put_slice(&self.rest[..taken]);
        self.rest.advance(taken);
        Poll::Ready(Ok(()))
    }
}

/// Binds a value: two bytes say which type the client and which the statement gives it.
pub(crate) fn value(bytes: &[u8]) {
    let [kind, expected, value @ ..] = bytes else {
        return;
    };
    let kind = &TYPES[usize::from(*kind) % TYPES.len()];
    let known = known();
    let known = &known[usize::from(*expected) % known.len()];
    for format in [TEXT, BINARY] {
        let Some(bound) = bind(kind, known.clone(), format, value) else {
            continue;
        };
        assert_eq!(
            Some(&bound),
            bind(kind, known.clone(), format, value).as_ref(),
            "the same again"
        );
        match (kind, format, <[u8; 8]>::try_from(value)) {
            (&Type::TEXT, ..) if *known == Some(DataType::Utf8) => {
                let text = std::str::from_utf8(value).ok();
                assert_eq!(bound, ScalarValue::Utf8(text.map(str::to_owned)));
            }
            (&Type::INT8, BINARY, Ok(bytes)) if known.is_none() => {
                assert_eq!(bound, ScalarValue::Int64(Some(i64::from_be_bytes(bytes))));
            }
            _ => {}
        }
    }
}

const TEXT: i16 = 0;
const BINARY: i16 = 1;

/// The value; `None` where the bytes are none of the type.
fn bind(kind: &Type, known: Option<DataType>, format: i16, value: &[u8]) -> Option<ScalarValue> {
    let described = Described {
        schema: Arc::new(Schema::empty()),
        parameters: vec![known],
        tag: CommandTag::Select,
    };
    let value = Some(Bytes::copy_from_slice(value));
    let bind = Bind::new(None, None, vec![format], vec![value], Vec::new());
    let statement = StoredStatement::new(String::new(), (), vec![Some(kind.clone())]);
    let portal = Portal::try_new(&bind, Arc::new(statement)).ok()?;
    match bound_values(&portal, &described) {
        Ok(values) => {
            assert_eq!(values.len(), 1, "a value for each that was sent");
            values.into_iter().next()
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            None
        }
    }
}
