//! What the evaluation of a rule brought.

use barograph_model::Labels;

/// One thing a rule found: a row of its query, or a series its detector holds for abnormal.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// What it was found on. With group and rule this is the alert's identity.
    pub labels: Labels,
    /// The value; NaN and infinities are allowed, NaN where there is none.
    pub value: f64,
    /// For people: what was seen. Cut at 4 KiB.
    pub evidence: String,
}

/// The result of one evaluation of one rule.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// All that holds now; what is not among it does not hold. Of findings with equal labels, the one with the
    /// largest value counts (NaN is smallest).
    Findings(Vec<Finding>),
    /// Like `Findings`, for sources that can tell calm from silence: an alert neither found nor calm has
    /// missing data, and stays as it is for the rule's `keep_missing_for`.
    Judged {
        /// What holds now.
        findings: Vec<Finding>,
        /// What was looked at and does not hold.
        calm: Vec<Labels>,
    },
    /// Nothing is known, and why. Alerts stay as they are.
    Failed(String),
}
