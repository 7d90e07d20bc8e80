//! `info`: adds the labels of info metrics, such as `target_info`, to the series of the same target.

use std::sync::Arc;

use barograph_model::{Labels, METRIC_NAME, Matcher};
use hashbrown::HashMap;

use crate::eval::{Context, eval_vector, timestamps};
use crate::syntax::{Call, ExprKind, VectorSelector};
use crate::value::{Column, Series, Vector};
use crate::{Grid, QueryError};

/// The info metric where none is named.
const TARGET_INFO: &str = "target_info";

/// The labels by which a series and an info metric are of the same target.
const IDENTITY: [&str; 2] = ["instance", "job"];

/// Info series of one target, each with the instant of its newest sample by step.
type OfTarget<'a> = Vec<&'a Series>;

pub(super) fn info(context: &Context<'_>, call: &Call, grid: Grid) -> Result<Vector, QueryError> {
    let base = eval_vector(context, &call.args[0], grid)?;
    let wanted = match call.args.get(1).map(|arg| &arg.unwrap_parens().kind) {
        Some(ExprKind::Vector(selector)) => selector.matchers.clone(),
        _ => Vec::new(),
    };
    let (mut names, data): (Vec<Matcher>, Vec<Matcher>) = wanted
        .into_iter()
        .partition(|matcher| matcher.name() == METRIC_NAME);
    if names.is_empty() {
        names.push(Matcher::equal(METRIC_NAME, TARGET_INFO));
    }
    let selector = VectorSelector {
        metric: None,
        matchers: names.iter().chain(&data).cloned().collect(),
        modifiers: Default::default(),
        widening: None,
    };
    let infos = timestamps(context, &selector, call.args[0].span, grid)?;
    let mut targets: HashMap<[&str; 2], OfTarget<'_>> = HashMap::new();
    for series in &infos.series {
        targets.entry(identity(&series.labels)).or_default().push(series);
    }
    let must_match = data.iter().any(|matcher| !matcher.matches(""));
    let mut enriched = Vector::default();
    for series in base.series {
        context.check()?;
        if names
            .iter()
            .all(|matcher| matcher.matches(series.labels.metric()))
        {
            enriched.series.push(series);
            continue;
        }
        let of_target = targets
            .get(&identity(&series.labels))
            .map_or(&[][..], Vec::as_slice);
        enrich(&series, of_target, &data, must_match, &mut enriched)?;
    }
    enriched.unite()?;
    enriched.drop_empty();
    Ok(enriched)
}

fn identity(labels: &Labels) -> [&str; 2] {
    IDENTITY.map(|name| labels.get(name))
}

/// Which info series there are may change from step to step, and the labels with them: each choice becomes a series.
fn enrich(
    series: &Series,
    infos: &[&Series],
    data: &[Matcher],
    must_match: bool,
    out: &mut Vector,
) -> Result<(), QueryError> {
    let steps = series.column.len();
    let mut by_choice: HashMap<Vec<usize>, Column> = HashMap::new();
    for step in (0..steps).filter(|step| series.column.has(*step)) {
        let choice = choose(infos, step)?;
        if choice.is_empty() && must_match {
            continue;
        }
        let column = by_choice.entry(choice).or_insert_with(|| Column::absent(steps));
        column.set(step, series.column.get(step));
    }
    for (choice, column) in by_choice {
        let chosen: Vec<&Labels> = choice.iter().map(|i| infos[*i].labels.as_ref()).collect();
        let labels = Arc::new(with_infos(&series.labels, &chosen, data)?);
        out.series.push(Series { labels, column });
    }
    Ok(())
}

/// The info series of each metric with the newest sample at a step, by place.
fn choose(infos: &[&Series], step: usize) -> Result<Vec<usize>, QueryError> {
    let mut chosen: Vec<usize> = Vec::new();
    for i in (0..infos.len()).filter(|i| infos[*i].column.has(step)) {
        let metric = infos[i].labels.metric();
        let Some(known) = chosen
            .iter_mut()
            .find(|known| infos[**known].labels.metric() == metric)
        else {
            chosen.push(i);
            continue;
        };
        let (old, new) = (infos[*known].column.floats[step], infos[i].column.floats[step]);
        if old == new {
            return Err(QueryError::execution(format!(
                "found duplicate series for info metric: existing {} @ {}, new {} @ {}",
                infos[*known].labels,
                old * 1000.0,
                infos[i].labels,
                new * 1000.0
            )));
        }
        if new > old {
            *known = i;
        }
    }
    Ok(chosen)
}

/// Labels of the series itself count; of the info series' those that were asked for are added, or all.
fn with_infos(labels: &Labels, infos: &[&Labels], data: &[Matcher]) -> Result<Labels, QueryError> {
    let mut builder = labels.to_builder();
    let mut added: HashMap<&str, &str> = HashMap::new();
    for (name, value) in infos.iter().flat_map(|labels| labels.iter()) {
        let is_asked_for = data.is_empty() || data.iter().any(|matcher| matcher.name() == name);
        if name == METRIC_NAME || !is_asked_for || IDENTITY.contains(&name) || !labels.get(name).is_empty() {
            continue;
        }
        if added.insert(name, value).is_some_and(|other| other != value) {
            return Err(QueryError::execution(format!("conflicting label: {name}")));
        }
        builder.set(name, value);
    }
    Ok(builder.build().unwrap_or_default())
}
