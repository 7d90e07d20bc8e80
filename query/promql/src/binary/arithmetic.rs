//! What an operator makes of two floats.

use crate::syntax::BinaryOp;

/// The operator between two scalars: comparisons give 1 or 0.
pub(crate) fn of_scalars(op: BinaryOp, a: f64, b: f64) -> f64 {
    match comparison(op) {
        Some(holds) => f64::from(u8::from(holds(a, b))),
        None => arithmetic(op)(a, b),
    }
}

/// The function of an arithmetic operator.
pub(super) fn arithmetic(op: BinaryOp) -> fn(f64, f64) -> f64 {
    match op {
        BinaryOp::Add => |a, b| a + b,
        BinaryOp::Sub => |a, b| a - b,
        BinaryOp::Mul => |a, b| a * b,
        BinaryOp::Div => |a, b| a / b,
        // The sign of the dividend, as C's fmod.
        BinaryOp::Mod => |a, b| a % b,
        BinaryOp::Pow => f64::powf,
        BinaryOp::Atan2 => f64::atan2,
        // Comparisons, sets and cuts of histograms have functions of their own.
        _ => |_, _| f64::NAN,
    }
}

/// The function of a comparison; `None` for other operators.
pub(super) fn comparison(op: BinaryOp) -> Option<fn(f64, f64) -> bool> {
    Some(match op {
        BinaryOp::Equal => |a, b| a == b,
        BinaryOp::NotEqual => |a, b| a != b,
        BinaryOp::Less => |a, b| a < b,
        BinaryOp::LessOrEqual => |a, b| a <= b,
        BinaryOp::Greater => |a, b| a > b,
        BinaryOp::GreaterOrEqual => |a, b| a >= b,
        _ => return None,
    })
}
