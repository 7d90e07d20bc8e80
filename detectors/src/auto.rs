//! `auto`: the detectors that complement each other, and one verdict from them.
//!
//! One series: `seasonal` knows the time of day and slow departures, `pca` with a short window sees jumps and
//! broken shapes, `pca` with a long one sees what only a longer stretch shows. Several columns: `seasonal`
//! judges each column on its own, `pca` how they go together. The smallest p-value among the members with an
//! opinion counts, multiplied by their number (Bonferroni). Calibrating the smallest against its own past
//! instead was measured and left out: incidents then count twice against the next one, and recall at the same
//! target fell by a third. Expected value and band are the seasonal member's, where it has an opinion.

use barograph_model::TimestampMs;

use crate::calibrate::{Alarm, score};
use crate::detector::{Context, Detector, Verdict, build, restore};
use crate::error::DetectorError;
use crate::ml::PCA_WIDTH_MAX;
use crate::params::Params;
use crate::state::{self, Reader, Writer};

/// The keys `auto` takes.
const KEYS: &[&str] = &[Alarm::PARAM, "direction", "memory", "period"];
/// Windows of the two subspace members of a single series.
const WINDOWS: [usize; 2] = [16, 64];

/// The combined detector; see the module.
pub(crate) struct Auto {
    members: Vec<Box<dyn Detector>>,
    alarm: Alarm,
}

impl Auto {
    /// The members for rows of this width. The parameters go to the seasonal member.
    pub(crate) fn new(params: &Params, context: &Context) -> Result<Self, DetectorError> {
        params.check_keys("auto", KEYS)?;
        let alarm = Alarm::new(params, context.step_ms)?;
        let mut members = vec![build("seasonal", params, context)?];
        if context.width == 1 {
            for window in WINDOWS {
                members.push(build("pca", &Params::new().with("window", window), context)?);
            }
        } else if context.width <= PCA_WIDTH_MAX {
            members.push(build("pca", &Params::new(), context)?);
        }
        Ok(Self { members, alarm })
    }

    pub(crate) fn restore(reader: &mut Reader<'_>) -> Result<Self, DetectorError> {
        let alarm = Alarm::restore(reader)?;
        let count = reader.len(8)?;
        let members = (0..count)
            .map(|_| restore(reader.bytes()?))
            .collect::<Result<_, _>>()?;
        reader.finish()?;
        Ok(Self { members, alarm })
    }
}

impl Detector for Auto {
    fn name(&self) -> &'static str {
        "auto"
    }

    fn observe(&mut self, ts: TimestampMs, row: &[f64]) -> Option<Verdict> {
        let (mut highest, mut opinions, mut drawn) = (0.0f64, 0.0, None);
        for member in &mut self.members {
            let Some(verdict) = member.observe(ts, row) else {
                continue;
            };
            highest = highest.max(verdict.score);
            opinions += 1.0;
            drawn = drawn.or(Some(verdict));
        }
        let drawn = drawn?;
        let p = (opinions * 10f64.powf(-highest)).min(1.0);
        Some(Verdict {
            score: score(p),
            is_anomaly: self.alarm.ring(p),
            ..drawn
        })
    }

    fn save(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        self.alarm.save(&mut writer);
        writer.usize(self.members.len());
        for member in &self.members {
            writer.bytes(&member.save());
        }
        state::seal(self.name(), writer)
    }
}
