//! Aggregations: `sum by (job) (up)`, `topk(3, up) without (instance)`.

use super::call::Arguments;
use super::{Node, Parser};
use crate::syntax::error::Fault;
use crate::syntax::token::{Keyword, Token, TokenKind};
use crate::syntax::{Aggregate, AggregateOp, ExprKind, SourceSpan};

/// `by` or `without` with its labels.
#[derive(Default)]
struct Modifier {
    labels: Vec<String>,
    without: bool,
    end: u32,
}

impl Parser<'_> {
    /// An aggregation, or the metric of that name: what follows decides.
    pub(super) fn aggregate_or_metric(&mut self, name: Token, op: AggregateOp) -> Result<Node, Fault> {
        match self.peek()?.kind {
            TokenKind::LeftParen | TokenKind::Keyword(Keyword::By | Keyword::Without) => {
                self.aggregate(name, op)
            }
            _ => self.selector(name),
        }
    }

    fn aggregate(&mut self, name: Token, op: AggregateOp) -> Result<Node, Fault> {
        self.aggregations_open += 1;
        let before = self.aggregate_modifier()?;
        let arguments = self.arguments()?;
        self.aggregated(name, op, before, arguments)
    }

    fn aggregated(
        &mut self,
        name: Token,
        op: AggregateOp,
        before: Option<Modifier>,
        mut arguments: Arguments,
    ) -> Result<Node, Fault> {
        let modifier = match before {
            Some(modifier) => modifier,
            None => self.aggregate_modifier()?.unwrap_or_default(),
        };
        self.aggregations_open -= 1;
        let span = SourceSpan {
            start: name.span.start,
            end: arguments.end.max(modifier.end),
        };
        if arguments.args.is_empty() {
            return Err(Fault::new(span, "no arguments for aggregate expression provided"));
        }
        if op.is_experimental() && !self.options.experimental_functions {
            let message = format!(
                "{}() is experimental and must be enabled with --enable-feature=promql-experimental-functions",
                op.as_str()
            );
            return Err(Fault::new(span, message));
        }
        let wanted = 1 + usize::from(op.parameter().is_some());
        let got = arguments.args.len();
        let expr = arguments.args.pop().filter(|_| got == wanted);
        let Some(expr) = expr else {
            let message = format!(
                "wrong number of arguments for aggregate expression provided, expected {wanted}, got {got}"
            );
            return Err(Fault::new(span, message));
        };
        let height = self.above(arguments.height, span)?;
        let kind = ExprKind::Aggregate(Box::new(Aggregate {
            op,
            param: arguments.args.pop(),
            expr,
            grouping: modifier.labels,
            without: modifier.without,
        }));
        Ok(Node::new(kind, span, height))
    }

    fn aggregate_modifier(&mut self) -> Result<Option<Modifier>, Fault> {
        let without = match self.peek()?.kind {
            TokenKind::Keyword(Keyword::By) => false,
            TokenKind::Keyword(Keyword::Without) => true,
            _ => return Ok(None),
        };
        self.next()?;
        let (labels, end) = self.grouping()?;
        Ok(Some(Modifier { labels, without, end }))
    }
}
