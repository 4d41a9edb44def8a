//! How the keys of an issuer change in a schedule: what is meant to happen, and the commands that it comes to.

use keyward_lab::command::Command;
use keyward_lab::plan::{Algorithm, KeyPlan};

use super::dice::Dice;
use super::plan::Millis;

/// A change of keys, before it is known which keys there will be when it comes.
#[derive(Clone, Debug)]
pub(super) enum KeyStep {
    /// A new key.
    Make(String),
    /// The key is shown.
    Publish(String),
    /// The key that signed before does so again, and is shown.
    RollBack,
    /// The key signs.
    Sign(String),
    /// The key is no longer shown.
    Withdraw(String),
    /// Only the key that signs is shown; all stay where that one is not shown.
    WithdrawOthers,
}

/// The changes that replace the key of an issuer by `new`, in one of the ways in which providers do it.
pub(super) fn rotation(dice: &mut Dice, at: Millis, new: &str) -> Vec<(Millis, Vec<KeyStep>)> {
    use KeyStep::{Make, Publish, RollBack, Sign, Withdraw, WithdrawOthers};
    let new = || new.to_owned();
    let [ahead, overlap] = [dice.spread(1000, 600_000), dice.spread(1000, 900_000)];
    match dice.between(0, 6) {
        // Published before it signs, as it should be.
        0 => vec![
            (at, vec![Make(new()), Publish(new())]),
            (at + ahead, vec![Sign(new())]),
            (at + ahead + overlap, vec![WithdrawOthers]),
        ],
        // Published as it begins to sign; the old one stays for a while.
        1 | 2 => {
            vec![(at, vec![Make(new()), Publish(new()), Sign(new())]), (at + overlap, vec![WithdrawOthers])]
        }
        // One in the place of the other.
        3 => vec![(at, vec![Make(new()), Publish(new()), Sign(new()), WithdrawOthers])],
        // Signs before it is published.
        4 => vec![
            (at, vec![Make(new()), Sign(new())]),
            (at + ahead / 8, vec![Publish(new())]),
            (at + ahead / 8 + overlap, vec![WithdrawOthers]),
        ],
        // Withdrawn before it ever signs, and shown again.
        5 => vec![
            (at, vec![Make(new()), Publish(new())]),
            (at + ahead, vec![Withdraw(new())]),
            (at + ahead + overlap, vec![Publish(new())]),
        ],
        // Taken back.
        _ => vec![
            (at, vec![Make(new()), Publish(new()), Sign(new())]),
            (at + ahead, vec![RollBack]),
            (at + ahead + overlap, vec![Withdraw(new())]),
        ],
    }
}

/// The keys of an issuer as a schedule goes by.
#[derive(Clone, Debug)]
pub(super) struct Ring {
    issuer: String,
    algorithm: Algorithm,
    /// In the order in which they were made.
    made: Vec<String>,
    published: Vec<String>,
    signing: Vec<String>,
}

impl Ring {
    /// One key, which is published and signs.
    pub(super) fn new(issuer: &str, algorithm: Algorithm, first: String) -> Self {
        let published = vec![first.clone()];
        Self {
            issuer: issuer.to_owned(),
            algorithm,
            made: vec![first.clone()],
            published,
            signing: vec![first],
        }
    }

    pub(super) fn made(&self) -> &[String] {
        &self.made
    }

    pub(super) fn published(&self) -> &[String] {
        &self.published
    }

    pub(super) fn signing(&self) -> &str {
        self.signing.last().map_or("", String::as_str)
    }

    /// The command that these steps come to.
    pub(super) fn take(&mut self, steps: &[KeyStep]) -> Command {
        let mut command = Command { issuer: Some(self.issuer.clone()), ..Command::default() };
        for step in steps {
            match step {
                KeyStep::Make(key) => {
                    self.made.push(key.clone());
                    let (kid, algorithm) = (key.clone(), self.algorithm);
                    command.generate.push(KeyPlan { algorithm, ..KeyPlan::named(kid) });
                }
                KeyStep::Publish(key) => self.publish(&mut command, key.clone()),
                KeyStep::RollBack => {
                    if self.signing.len() > 1 {
                        self.signing.pop();
                    }
                    let key = self.signing().to_owned();
                    self.publish(&mut command, key.clone());
                    command.sign_with = Some(key);
                }
                KeyStep::Sign(key) => {
                    self.signing.push(key.clone());
                    command.sign_with = Some(key.clone());
                }
                KeyStep::Withdraw(key) => {
                    self.withdraw(&mut command, |published| published == key);
                }
                KeyStep::WithdrawOthers => {
                    let signing = self.signing().to_owned();
                    if self.published.contains(&signing) {
                        self.withdraw(&mut command, |published| *published != signing);
                    }
                }
            }
        }
        command
    }

    fn publish(&mut self, command: &mut Command, key: String) {
        if !self.published.contains(&key) {
            self.published.push(key.clone());
            command.publish.push(key);
        }
    }

    fn withdraw(&mut self, command: &mut Command, is_gone: impl Fn(&String) -> bool) {
        let (gone, published) = std::mem::take(&mut self.published)
            .into_iter()
            .partition(|key| !key.ends_with("-twin") && is_gone(key));
        self.published = published;
        command.withdraw = gone;
    }
}

/// Whether the command does anything.
pub(super) fn is_idle(command: &Command) -> bool {
    let Command { generate, publish, sign_with, withdraw, .. } = command;
    generate.is_empty() && publish.is_empty() && sign_with.is_none() && withdraw.is_empty()
}
