//! The comparison sees what is made wrong on purpose, and makes the sequence that shows it short. It needs
//! no real server: one sandbox is the truth, another one the liar.

use endpointslice_controller::sandbox::Kind;
use endpointslice_controller::sandbox::api::Verb;
use endpointslice_controller::sandbox::faults::{Fault, Refusal, Rule};

use super::random;
use super::run::{both, shortest_of};
use super::step::Step;
use crate::support::sandbox::SandboxStage;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_sandboxes_agree_and_a_planted_fault_is_seen_and_shown_by_two_steps() {
    let (truth, ours) = (SandboxStage::start().await, SandboxStage::start().await);
    for seed in 0..20 {
        let verdict = both(&truth, &ours, &random::draw(seed)).await;
        assert!(verdict.unexplained.is_empty(), "seed {seed}: {}", verdict.unexplained[0]);
    }
    ours.sandbox().faults().add(Rule::always(
        Verb::Delete,
        Kind::EndpointSlice,
        Fault::Refuse(Refusal::new(500)),
    ));
    let mut shown = 0;
    for seed in 0..20 {
        let sequence = random::draw(seed);
        if both(&truth, &ours, &sequence).await.unexplained.is_empty() {
            continue;
        }
        shown += 1;
        let short = shortest_of(&truth, &ours, sequence).await;
        assert!(short.steps.len() <= 2, "seed {seed}: {short}");
        let deletes = |step: &Step| matches!(step, Step::Ask(ask) if ask.method == "DELETE");
        assert!(short.steps.iter().any(deletes), "seed {seed}: {short}");
    }
    assert!(shown >= 3, "the planted fault came up in {shown} of 20 seeds only");
}
