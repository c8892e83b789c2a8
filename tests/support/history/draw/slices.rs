//! Tampering: what it is that somebody does to a slice.

use super::super::{Kind, Operation, Tampering};
use super::Draw;

impl Draw {
    pub(super) fn tamper(&mut self) {
        let Some(service) = self.existing(Kind::Service) else { return };
        // Two hands on one Service would meet in an order of their own on each twin.
        let already = |change: &super::Change| matches!(&change.operation, Operation::Tamper { service: other, .. } if *other == service);
        if self.step.iter().any(already) {
            return;
        }
        let other = self.of(&self.services.clone());
        let text = |text: &str| text.to_string();
        let (why, how) = match self.between(0, 21) {
            0..3 => ("slice: deleted", Tampering::Delete),
            3..5 => ("slice: endpoint dropped", Tampering::DropEndpoint),
            5 => ("slice: emptied", Tampering::Empty),
            6 => ("slice: endpoint added", Tampering::AddEndpoint(text("198.51.100.7"))),
            7 => ("slice: readiness", Tampering::FlipReady),
            8 => ("slice: endpoint twice", Tampering::Duplicate),
            9 => ("slice: hint", Tampering::WrongHint),
            10 => ("slice: port", Tampering::WrongPort),
            11 | 12 => ("slice: label added", Tampering::Label(text("team"), text("nobody"))),
            13 => ("slice: label removed", Tampering::Unlabel(text("team"))),
            14 => ("slice: headless label", Tampering::FlipHeadless),
            15 => ("slice: annotation", Tampering::Annotate(text("history.example.org/slice"), text("yes"))),
            16 | 17 => ("slice: wrong owner", Tampering::WrongOwner),
            18 => ("slice: no owner", Tampering::NoOwner),
            19 | 20 => ("slice: managed by another", Tampering::TakeOver(text("another.example.org"))),
            _ => ("slice: of another Service", Tampering::ServiceName(other)),
        };
        let nth = self.between(0, 3);
        self.push(why, Operation::Tamper { service, nth, how });
    }
}
