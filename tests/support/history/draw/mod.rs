//! Draws a history: first the population, then steps, each operation on top of the state that the ones
//! before it leave behind.

mod endpoints;
mod nodes;
mod pods;
mod services;
mod slices;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::Value;

use super::{Change, History, Kind, Operation, Program, State, Step};

/// How large histories are.
#[derive(Debug, Clone)]
pub struct Shape {
    pub services: usize,
    pub steps: usize,
    /// Operations in a step, about.
    pub operations: usize,
    /// Every how many seeds one is for mode Auto (see [`History::auto`]); 0 is never.
    pub auto_every: u64,
    /// Every how many histories one restarts a program; 0 is never.
    pub restart_every: u32,
    /// What the largest Services have; three of 40 are large.
    pub large: usize,
}

impl Default for Shape {
    fn default() -> Shape {
        Shape { services: 40, steps: 10, operations: 14, auto_every: 10, restart_every: 8, large: 24 }
    }
}

/// The state so far, and what must be unique.
struct Draw {
    random: StdRng,
    auto: bool,
    state: State,
    step: Step,
    next_change: usize,
    next_pod: usize,
    next_address: u32,
    /// Services that exist or existed: their names are used again.
    services: Vec<String>,
    /// Those with many Pods at first.
    large: Vec<String>,
    /// Whether the Service has one Endpoints object too many to draw again.
    large_endpoints_left: usize,
}

pub fn draw(seed: u64, shape: &Shape) -> History {
    let auto = shape.auto_every > 0 && seed % shape.auto_every == shape.auto_every - 1;
    let mut draw = Draw::new(seed, auto);
    draw.populate(shape);
    let start = std::mem::take(&mut draw.step);
    let restart = draw.when_to_restart(shape);
    let steps = (0..shape.steps)
        .map(|number| {
            if let Some((_, program)) = restart.filter(|(at, _)| *at == number) {
                draw.push("restart", Operation::Restart(program));
            }
            draw.a_step(shape.operations);
            std::mem::take(&mut draw.step)
        })
        .collect();
    History { seed, auto, start, steps }
}

impl Draw {
    fn new(seed: u64, auto: bool) -> Draw {
        Draw {
            random: StdRng::seed_from_u64(seed),
            auto,
            state: State::default(),
            step: Step::new(),
            next_change: 0,
            next_pod: 0,
            next_address: 0,
            services: Vec::new(),
            large: Vec::new(),
            large_endpoints_left: 0,
        }
    }

    fn populate(&mut self, shape: &Shape) {
        // Few: such an object is as large as all others together.
        self.large_endpoints_left = usize::from(self.one_in(12));
        self.first_nodes();
        for number in 0..shape.services {
            let name = self.service_name(number);
            self.services.push(name.clone());
            self.make_service("start", &name);
            let pods = match number % 13 {
                7 => {
                    self.large.push(name.clone());
                    self.between(shape.large / 2, shape.large)
                }
                _ => self.between(0, 4),
            };
            for _ in 0..pods {
                self.make_pod("start", &name);
            }
            let selects = self.selector_of(&name).is_some();
            if !selects || self.one_in(12) {
                self.make_endpoints("start", &name);
            }
        }
    }

    fn when_to_restart(&mut self, shape: &Shape) -> Option<(usize, Program)> {
        if shape.restart_every == 0 || !self.one_in(shape.restart_every) {
            return None;
        }
        let program = if self.one_in(3) { Program::Peer } else { Program::Ours };
        Some((self.between(1, shape.steps.max(2) - 1), program))
    }

    /// Tampering comes first: it meets slices that are at rest, and so the same ones on both twins. So
    /// does, in a step of its own, what makes a controller leave slices as they are: else it would
    /// depend on the order of streams what is left.
    fn a_step(&mut self, operations: usize) {
        if self.one_in(6) {
            for _ in 0..self.between(1, 4) {
                self.retire_a_service();
            }
            return;
        }
        let mut left = self.between(operations / 2, operations * 3 / 2);
        for _ in 0..self.between(0, 3) {
            self.tamper();
        }
        while left > 0 {
            left -= 1;
            match self.between(0, 99) {
                0..48 => self.change_a_pod(),
                48..76 => self.change_a_service(),
                76..90 => self.change_endpoints(),
                _ => self.change_a_node(),
            }
        }
    }

    fn push(&mut self, why: &str, operation: Operation) {
        self.state.apply(&operation);
        let number = self.next_change;
        self.next_change += 1;
        self.step.push(Change { number, why: why.to_string(), operation });
    }

    fn patch(&mut self, why: &str, kind: Kind, name: &str, patch: Value) {
        self.push(why, Operation::Patch(kind, name.to_string(), patch));
    }

    fn between(&mut self, low: usize, high: usize) -> usize {
        self.random.random_range(low..=high)
    }

    fn one_in(&mut self, of: u32) -> bool {
        self.random.random_ratio(1, of)
    }

    /// One of a list that is not empty.
    fn of<T: Clone>(&mut self, list: &[T]) -> T {
        list.choose(&mut self.random).expect("something to choose from").clone()
    }

    /// One of the objects that exist.
    fn existing(&mut self, kind: Kind) -> Option<String> {
        let names = self.state.names(kind);
        names.choose(&mut self.random).cloned()
    }

    /// An IPv4 and an IPv6 address that nobody else has.
    fn addresses(&mut self) -> (String, String) {
        self.next_address += 1;
        let number = self.next_address;
        let v4 = format!("10.{}.{}.{}", 200 + (number >> 16), (number >> 8) & 255, number & 255);
        (v4, format!("fd00:2::{number:x}"))
    }

    /// A moment that later ones follow.
    fn time(&self) -> String {
        let number = self.next_change;
        format!("2026-01-01T{:02}:{:02}:{:02}Z", number / 3600, number / 60 % 60, number % 60)
    }

    fn selector_of(&self, service: &str) -> Option<Value> {
        let selector = &self.state.get(Kind::Service, service)?["spec"]["selector"];
        selector.as_object().filter(|pairs| !pairs.is_empty()).map(|_| selector.clone())
    }
}
