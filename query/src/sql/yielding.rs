//! Joins that let others run, and that can be ended.
//!
//! A task of tokio can only be stopped where it waits. DataFusion makes sources and exchanges do so now and then; a join that
//! makes millions of rows of a few hundred asks its sources hardly ever, and an aggregation above it would run to the end
//! whatever its client, its timeout or the rest of the program want.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::unnest::UnnestExec;

/// Puts a place to wait above everything that may give more rows than it takes.
#[derive(Debug)]
pub(crate) struct YieldingJoins;

impl PhysicalOptimizerRule for YieldingJoins {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let wrapped = plan.transform_up(|node| {
            let multiplies = node.children().len() > 1 || node.is::<UnnestExec>();
            Ok(match multiplies {
                true => Transformed::yes(Arc::new(CooperativeExec::new(node)) as Arc<dyn ExecutionPlan>),
                false => Transformed::no(node),
            })
        });
        wrapped.map(|wrapped| wrapped.data)
    }

    fn name(&self) -> &'static str {
        "yielding_joins"
    }

    fn schema_check(&self) -> bool {
        true
    }
}
