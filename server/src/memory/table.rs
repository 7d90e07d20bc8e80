//! The account of memory as an SQL table: `system.memory`.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use barograph_model::MemoryBudget;
use barograph_query::sql::SystemTable;

use super::ProcessMemory;

/// `system.memory`: a row for each share of the budget, one for the whole process (`process`, whose limit is the
/// budget), one for the pages of mapped files (`mapped_files`, which have no limit: the system takes them back).
#[must_use]
pub fn memory_table(memory: &Arc<MemoryBudget>) -> SystemTable {
    let memory = Arc::clone(memory);
    SystemTable {
        name: "system.memory".to_owned(),
        schema: schema(),
        rows: Arc::new(move || rows(&memory)),
    }
}

fn schema() -> SchemaRef {
    let bytes = |name, is_nullable| Field::new(name, DataType::UInt64, is_nullable);
    Arc::new(Schema::new(vec![
        Field::new("share", DataType::Utf8, false),
        bytes("used_bytes", true),
        bytes("peak_bytes", true),
        bytes("max_bytes", true),
        bytes("refusals", true),
    ]))
}

fn rows(memory: &MemoryBudget) -> RecordBatch {
    let mut names: Vec<&str> = Vec::new();
    let mut figures: [Vec<Option<u64>>; 4] = Default::default();
    let mut add = |name, row: [Option<u64>; 4]| {
        names.push(name);
        for (column, figure) in figures.iter_mut().zip(row) {
            column.push(figure);
        }
    };
    for share in memory.shares() {
        let bytes = |count: usize| Some(count as u64);
        add(
            share.share.as_str(),
            [
                bytes(share.used_bytes),
                bytes(share.peak_bytes),
                bytes(share.max_bytes),
                Some(share.refusals),
            ],
        );
    }
    let process = ProcessMemory::now();
    let bytes = |of: fn(ProcessMemory) -> usize| process.map(|process| of(process) as u64);
    let total = memory.total_bytes() as u64;
    add(
        "process",
        [
            bytes(|p| p.anonymous_bytes),
            bytes(|p| p.peak_bytes),
            Some(total),
            None,
        ],
    );
    add("mapped_files", [bytes(|p| p.file_bytes), None, None, None]);
    let mut columns: Vec<ArrayRef> = vec![Arc::new(StringArray::from(names))];
    columns.extend(figures.map(|column| Arc::new(UInt64Array::from(column)) as ArrayRef));
    RecordBatch::try_new(schema(), columns).unwrap_or_else(|error| {
        tracing::error!(%error, "the table of memory does not fit its schema");
        RecordBatch::new_empty(schema())
    })
}

#[cfg(test)]
mod tests {
    use arrow::array::AsArray;
    use arrow::datatypes::UInt64Type;
    use barograph_model::MemoryShare;

    use super::*;

    #[test]
    fn a_row_for_each_share_and_the_process() {
        let memory = Arc::new(MemoryBudget::new(256 << 20));
        memory.try_grow(MemoryShare::Memtable, 1234).unwrap();
        let table = memory_table(&memory);
        let batch = (table.rows)();
        assert_eq!(batch.schema(), table.schema);
        assert_eq!(batch.num_rows(), MemoryShare::ALL.len() + 2);
        let names = batch.column(0).as_string::<i32>();
        let row = (0..batch.num_rows())
            .find(|row| names.value(*row) == "memtable")
            .unwrap();
        let figure = |column: usize| batch.column(column).as_primitive::<UInt64Type>().value(row);
        assert_eq!(
            (figure(1), figure(2), figure(3), figure(4)),
            (1234, 1234, 64 << 20, 0)
        );
    }
}
