use std::net::SocketAddr;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::Schema;
use arrow::ipc::writer::StreamWriter;
use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};

use super::*;

/// A server that answers by the text of the query.
async fn server() -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let routes = Router::new().route(
        "/api/v1/sql",
        post(|Json(request): Json<Value>| async move { respond(&request) }),
    );
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    address
}

fn batch() -> RecordBatch {
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("n", Arc::new(Int64Array::from(vec![Some(1), None, Some(30)]))),
        ("name", Arc::new(StringArray::from(vec!["a", "b", "c"]))),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

fn ipc(schema: &Schema, batches: &[RecordBatch]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = StreamWriter::try_new(&mut bytes, schema).unwrap();
    batches.iter().for_each(|batch| writer.write(batch).unwrap());
    writer.finish().unwrap();
    drop(writer);
    bytes
}

/// The bytes in pieces of a few, as a network may cut them.
fn in_pieces(bytes: Vec<u8>) -> Body {
    let pieces: Vec<_> = bytes
        .chunks(7)
        .map(|piece| Ok::<_, std::io::Error>(Bytes::copy_from_slice(piece)))
        .collect();
    Body::from_stream(futures::stream::iter(pieces))
}

fn respond(request: &Value) -> Response {
    match (
        request["query"].as_str().unwrap(),
        request["format"].as_str().unwrap(),
    ) {
        ("rows", "arrow") => in_pieces(ipc(&batch().schema(), &[batch(), batch()])).into_response(),
        ("none", "arrow") => in_pieces(ipc(&batch().schema(), &[])).into_response(),
        ("cut", "arrow") => {
            let mut bytes = ipc(&batch().schema(), &[batch(), batch()]);
            bytes.truncate(bytes.len() / 2);
            in_pieces(bytes).into_response()
        }
        ("rows", "csv") => "n,name\r\n1,a\r\n".into_response(),
        ("broken", _) => (StatusCode::BAD_GATEWAY, "<html>").into_response(),
        _ => {
            let error = json!({"code": "unknown_table", "message": "there is no table upp", "hint": "did you mean up?"});
            (StatusCode::BAD_REQUEST, Json(json!({ "error": error }))).into_response()
        }
    }
}

async fn asked(query: &str, format: OutputFormat) -> Result<Vec<u8>, String> {
    let source = Source::of(&format!("http://{}", server().await), None).map_err(|e| e.to_string())?;
    let mut out = Vec::new();
    let mut rendered = Rendered::start(&source, query, format)
        .await
        .map_err(|e| e.to_string())?;
    rendered.write_to(&mut out).await.map_err(|e| e.to_string())?;
    Ok(out)
}

async fn text(query: &str, format: OutputFormat) -> String {
    String::from_utf8(asked(query, format).await.unwrap()).unwrap()
}

#[tokio::test]
async fn a_table_is_drawn_from_batches() {
    let table = text("rows", OutputFormat::Table).await;
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(lines.len(), 2 + 6 + 1, "{table}");
    assert!(lines[0].contains('n') && lines[0].contains("name"));
    assert_eq!(lines[8], "(6 rows)");
    let empty = text("none", OutputFormat::Table).await;
    assert!(
        empty.starts_with("n ") && empty.ends_with("(0 rows)\n"),
        "{empty}"
    );
}

#[tokio::test]
async fn csv_is_passed_on() {
    assert_eq!(text("rows", OutputFormat::Csv).await, "n,name\r\n1,a\r\n");
}

#[tokio::test]
async fn parquet_holds_all_batches() {
    for (query, rows) in [("rows", 6), ("none", 0)] {
        let bytes = Bytes::from(asked(query, OutputFormat::Parquet).await.unwrap());
        let builder = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap();
        assert_eq!(builder.schema().fields().len(), 2);
        assert_eq!(
            builder
                .build()
                .unwrap()
                .map(|batch| batch.unwrap().num_rows())
                .sum::<usize>(),
            rows
        );
    }
}

#[tokio::test]
async fn errors_are_those_of_the_server() {
    for format in [OutputFormat::Table, OutputFormat::Json] {
        assert_eq!(
            asked("upp", format).await.unwrap_err(),
            "there is no table upp (did you mean up?)"
        );
        assert!(
            asked("broken", format)
                .await
                .unwrap_err()
                .ends_with(" answered 502: <html>")
        );
    }
}

#[tokio::test]
async fn an_answer_that_ends_early_is_an_error() {
    for format in [OutputFormat::Table, OutputFormat::Parquet] {
        let message = asked("cut", format).await.unwrap_err();
        assert!(message.starts_with("the answer broke off: "), "{message}");
    }
}
