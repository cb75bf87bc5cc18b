//! Scales the last pod away while the policy deletes claims with their pods, and records which claims are deleted.

use serde_json::{Value, json};

use super::deploy::{settled, started};
use super::recover::recovered;
use super::replicate::follow;
use crate::driver::{Context, InjectionPoint, ScenarioError};
use crate::evidence::{Act, Checkpoint, ClaimLife, Retention, Scenario};
use crate::record::WaitStatus;

pub(super) async fn claims(context: &Context) -> Result<(), ScenarioError> {
    let all = context.workload.subject.replicas;
    let set = set_policy(context, Retention::Delete);
    context.journal.step(Scenario::Claims, "let claims go with their pods", set).await?;
    context.inject(InjectionPoint::Claiming).await;
    let scaled = scale_away(context, all - 1);
    let scaled = context.journal.step(Scenario::Claims, &format!("scale to {}", all - 1), scaled).await;
    // Restore the StatefulSet whatever happened.
    let back = async {
        set_policy(context, context.workload.subject.claim_policy.when_scaled).await?;
        let doing = async {
            context.patch_scale(all).await?;
            started(context).await?;
            Ok::<_, ScenarioError>(vec![context.last_record()])
        };
        context.disrupt(Act::Scale { from: all - 1, to: all }, doing).await
    };
    let back = context.journal.step(Scenario::Claims, &format!("scale to {all}"), back).await;
    scaled.and(back)?;
    if context.replicating() {
        // The pod came back empty, as intended, and copies everything again.
        follow(context, &Checkpoint::Replicating, &[context.workload.subject.nth(all - 1)]).await?;
    }
    recovered(context, Scenario::Claims).await
}

async fn set_policy(context: &Context, when_scaled: Retention) -> Result<(), ScenarioError> {
    let doing = async {
        context.patch_set("set the claims' policy", policy(when_scaled)).await?;
        Ok::<_, ScenarioError>(vec![context.last_record()])
    };
    context.disrupt(Act::SetClaimPolicy { when_scaled }, doing).await
}

fn policy(when_scaled: Retention) -> Value {
    json!({"spec": {"persistentVolumeClaimRetentionPolicy": {"whenScaled": when_scaled}}})
}

/// Scales the last pod away, and waits until it and its claims are gone.
async fn scale_away(context: &Context, to: u32) -> Result<(), ScenarioError> {
    let subject = &context.workload.subject;
    let pod = subject.nth(to);
    context.save_logs(&pod).await;
    let uid = context.uid(&pod).unwrap_or_default();
    let own: Vec<String> = subject.claims.iter().map(|template| subject.claim(template, &pod)).collect();
    let doing = async {
        context.patch_scale(to).await?;
        let mut proof = vec![context.gone(&pod, &uid).await?];
        for claim in own {
            proof.push(claim_gone(context, &claim).await?);
        }
        settled(context, to).await?;
        Ok::<_, ScenarioError>(proof)
    };
    context.disrupt(Act::Scale { from: to + 1, to }, doing).await
}

async fn claim_gone(context: &Context, claim: &str) -> Result<u64, ScenarioError> {
    let what = format!("the claim {claim} gone");
    let status = |life: &ClaimLife| match (life.deleted, life.deleting) {
        (Some(mark), _) => WaitStatus::Met(mark.seq),
        (None, Some(_)) => WaitStatus::Pending("being deleted".to_owned()),
        (None, None) => WaitStatus::Pending("there, and not told to go".to_owned()),
    };
    let limit = context.timeouts.reaction;
    context.of_life(&what, limit, |timeline| timeline.claims.of_name(claim).next_back(), status).await
}
