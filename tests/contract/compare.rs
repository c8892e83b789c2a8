//! Where two transcripts of one sequence differ, and which of it is meant.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use super::play::Transcript;
use super::rules::RULES;
use super::step::{Sequence, Step};

/// One place in the answer to one step.
#[derive(Debug, Clone)]
pub struct Difference {
    pub step: Step,
    /// Where in the answer.
    pub pointer: String,
    /// What kube-apiserver says there.
    pub truth: Option<Value>,
    /// What the sandbox says there.
    pub ours: Option<Value>,
    /// The whole answers.
    pub answers: [Value; 2],
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |value: &Option<Value>| value.as_ref().map_or("absent".to_string(), Value::to_string);
        write!(
            f,
            "{}\n    {}\n      kube-apiserver: {}\n      sandbox:        {}",
            self.step,
            self.pointer,
            show(&self.truth),
            show(&self.ours)
        )?;
        // A refusal tells most of itself in its sentence.
        for (name, answer) in ["kube-apiserver", "sandbox"].iter().zip(&self.answers) {
            if let Some(message) = answer["body"]["message"].as_str() {
                write!(f, "\n      {name} refuses: {message}")?;
            }
        }
        if std::env::var("CONTRACT_WHOLE").is_ok() {
            write!(f, "\n      whole: {}\n      whole: {}", self.answers[0], self.answers[1])?;
        }
        Ok(())
    }
}

/// What came of a comparison.
#[derive(Debug, Clone, Default)]
pub struct Verdict {
    /// What no rule explains.
    pub unexplained: Vec<Difference>,
    /// How often each rule explained something.
    pub fired: BTreeMap<&'static str, usize>,
    /// Answers that were compared.
    pub compared: usize,
}

impl Verdict {
    /// The steps with a difference that no rule explains: each with its first one. Versions and uids are
    /// numbered, so what is stored once more or less moves all that come later: those are not shown.
    pub fn first_of_each_step(&self) -> Vec<&Difference> {
        let mut firsts: Vec<&Difference> = Vec::new();
        let follows = |difference: &Difference| {
            let numbered = |value: &Option<Value>| {
                value
                    .as_ref()
                    .and_then(Value::as_str)
                    .is_some_and(|text| text.contains('<') && text.ends_with('>'))
            };
            numbered(&difference.truth) && numbered(&difference.ours)
        };
        let first_of_all = self.unexplained.first();
        for difference in self
            .unexplained
            .iter()
            .filter(|difference| !follows(difference))
            .chain(first_of_all.filter(|first| follows(first)))
        {
            if firsts.last().is_none_or(|last| last.step != difference.step) {
                firsts.push(difference);
            }
        }
        firsts
    }
}

pub fn compare(sequence: &Sequence, truth: &Transcript, ours: &Transcript) -> Verdict {
    let mut verdict = Verdict::default();
    for ((step, truth), ours) in sequence.steps.iter().zip(&truth.0).zip(&ours.0) {
        verdict.compared += 1;
        let mut places = Vec::new();
        differences(truth, ours, "", &mut places);
        for (pointer, left, right) in places {
            let answers = [truth.clone(), ours.clone()];
            let difference = Difference { step: step.clone(), pointer, truth: left, ours: right, answers };
            match RULES.iter().find(|rule| (rule.explains)(&difference)) {
                Some(rule) => *verdict.fired.entry(rule.name).or_default() += 1,
                None => verdict.unexplained.push(difference),
            }
        }
    }
    verdict
}

type Place = (String, Option<Value>, Option<Value>);

fn differences(truth: &Value, ours: &Value, at: &str, places: &mut Vec<Place>) {
    match (truth, ours) {
        (Value::Object(left), Value::Object(right)) => {
            for (key, value) in left {
                let place = format!("{at}/{key}");
                match right.get(key) {
                    Some(other) => differences(value, other, &place, places),
                    None => places.push((place, Some(value.clone()), None)),
                }
            }
            for (key, value) in right.iter().filter(|(key, _)| !left.contains_key(*key)) {
                places.push((format!("{at}/{key}"), None, Some(value.clone())));
            }
        }
        (Value::Array(left), Value::Array(right)) => {
            for at_index in 0..left.len().max(right.len()) {
                let place = format!("{at}/{at_index}");
                match (left.get(at_index), right.get(at_index)) {
                    (Some(value), Some(other)) => differences(value, other, &place, places),
                    (value, other) => places.push((place, value.cloned(), other.cloned())),
                }
            }
        }
        (left, right) if left == right => {}
        (left, right) => places.push((at.to_string(), Some(left.clone()), Some(right.clone()))),
    }
}
