//! Answers over the store: SQL by DataFusion, selectors of PromQL.
