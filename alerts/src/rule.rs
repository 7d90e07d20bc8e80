//! Rules as the rest of the program sees them. [`crate::rule_file`] builds them from YAML.

use std::collections::BTreeMap;
use std::sync::Arc;

use barograph_model::{Labels, LabelsBuilder};

use crate::source::{SourceFile, Step};
use crate::template::Template;
use crate::{DetectorQuery, RuleError};

/// The rules of one file, or of several joined by [`RuleSet::join`].
#[derive(Debug, Clone, Default)]
pub struct RuleSet {
    /// Groups in the order of the files; their names are unique.
    pub groups: Vec<Group>,
}

/// Rules that are evaluated together.
#[derive(Debug, Clone)]
pub struct Group {
    /// Unique in the set.
    pub name: String,
    /// The distance of evaluations; 1 min where the file does not say.
    pub interval_ms: i64,
    /// The rules in the order of the file; their names are unique in the group.
    pub rules: Vec<Rule>,
    pub(crate) source: Arc<SourceFile>,
    pub(crate) index: usize,
}

/// One alerting rule.
#[derive(Debug, Clone)]
pub struct Rule {
    /// The group's name.
    pub group: String,
    /// The alert's name, unique in its group.
    pub name: String,
    /// What is asked.
    pub query: RuleQuery,
    /// How long a finding must hold before it fires.
    pub for_ms: i64,
    /// How long a firing alert goes on after its condition was last seen.
    pub keep_firing_for_ms: i64,
    /// How long an alert stays as it is while its series bring no verdict (detector rules only).
    pub keep_missing_for_ms: i64,
    /// The group's interval.
    pub interval_ms: i64,
    /// The group's `limit` on active alerts of each of its rules.
    pub limit: Option<usize>,
    /// Labels as written, templates not filled in; `severity` among them.
    pub labels: Labels,
    /// Annotations as written, templates not filled in.
    pub annotations: BTreeMap<String, String>,
    pub(crate) label_templates: Vec<(String, Template)>,
    pub(crate) annotation_templates: Vec<(String, Template)>,
    pub(crate) source: Arc<SourceFile>,
    /// Places of the group in the file and of the rule in the group.
    pub(crate) place: (usize, usize),
}

/// What a rule asks.
#[derive(Debug, Clone, PartialEq)]
pub enum RuleQuery {
    /// A query of which each row is a finding: column `value` is the value, text columns are labels.
    Sql(String),
    /// Verdicts of a configured detector.
    Detector(DetectorQuery),
}

impl RuleSet {
    /// Reads a rule file.
    ///
    /// # Errors
    /// [`RuleError`] for the first thing that is wrong, with its line.
    pub fn parse(file_name: &str, yaml: &str) -> Result<Self, RuleError> {
        crate::rule_file::parse(file_name, yaml)
    }

    /// Joins the rules of several files.
    ///
    /// # Errors
    /// [`RuleError`] where two files define a group of the same name: alerts are told apart by group and rule.
    pub fn join(sets: impl IntoIterator<Item = Self>) -> Result<Self, RuleError> {
        let mut joined = Self::default();
        for group in sets.into_iter().flat_map(|set| set.groups) {
            if let Some(other) = joined.groups.iter().find(|other| other.name == group.name) {
                let message = format!(
                    "group {:?} is already defined at {}; give one of them another name",
                    group.name,
                    other.place()
                );
                return Err(group.source.error_at(&group.name_path(), message));
            }
            joined.groups.push(group);
        }
        Ok(joined)
    }

    /// All rules, group by group.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.groups.iter().flat_map(|group| &group.rules)
    }

    /// The rule of that group and name.
    #[must_use]
    pub fn rule(&self, group: &str, name: &str) -> Option<&Rule> {
        self.rules().find(|rule| rule.group == group && rule.name == name)
    }
}

impl Group {
    /// The file that defines it, as it was given to [`RuleSet::parse`].
    #[must_use]
    pub fn file(&self) -> &str {
        &self.source.name
    }

    fn name_path(&self) -> [Step<'static>; 3] {
        [Step::Value("groups"), Step::Item(self.index), Step::Value("name")]
    }

    /// `file:line` of the group's name.
    fn place(&self) -> String {
        let error = self.source.error_at(&self.name_path(), String::new());
        format!("{}:{}", error.file, error.line)
    }
}

impl Rule {
    /// The `severity` label as written, empty where there is none.
    #[must_use]
    pub fn severity(&self) -> &str {
        self.labels.get("severity")
    }

    /// A refusal of this rule by someone who knows more, placed at the value of `key` (`sql`, `detector`,
    /// `selector`, ...): a query that does not plan, a detector that is not configured. Reads the file's text
    /// again, O(its length).
    #[must_use]
    pub fn error_at(&self, key: &str, message: impl Into<String>) -> RuleError {
        let (group, rule) = self.place;
        let path = [
            Step::Value("groups"),
            Step::Item(group),
            Step::Value("rules"),
            Step::Item(rule),
            Step::Value(key),
        ];
        self.source.error_at(&path, message.into())
    }

    /// The labels of an alert: the finding's, overlaid with the rule's. A rule label that fills in to nothing
    /// removes the finding's.
    pub(crate) fn render_labels(&self, finding: &Labels) -> Labels {
        let mut builder: LabelsBuilder = finding.to_builder();
        for (name, template) in &self.label_templates {
            builder.set(name, &template.render(finding, f64::NAN));
        }
        // Names come from a label set and from checked, non-empty names, each set once, so this cannot fail;
        // should it, the finding's own labels are the honest answer.
        builder.build().unwrap_or_else(|_| finding.clone())
    }

    /// The annotations, filled in.
    pub(crate) fn render_annotations(&self, finding: &Labels, value: f64) -> BTreeMap<String, String> {
        let fill = |(name, template): &(String, Template)| (name.clone(), template.render(finding, value));
        self.annotation_templates.iter().map(fill).collect()
    }
}

/// The longest beginning of the text that fits and ends between characters.
pub(crate) fn cut(mut text: String, longest_bytes: usize) -> String {
    if text.len() > longest_bytes {
        text.truncate(text.floor_char_boundary(longest_bytes));
    }
    text
}
