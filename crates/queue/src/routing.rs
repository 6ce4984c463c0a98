//! From a recipient to its way: a rule, our own directory, or the default route.

use crate::schedule::{Lane, Place};
use crate::settings::{Rule, RuleAction, Settings, next_hop};
use address::{Address, ReversePath};
use directory::{Directory, DirectoryError};
use std::collections::HashMap;
use std::sync::Arc;
use store::directory::{DomainKind, RelayTarget};
use transport::{Destination, DestinationKey, NextHop, Route, Terms};

/// Lanes and places known before those without work are looked for.
const MAX_NUMBERS: usize = 10_000;

/// How a recipient is served.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Way {
    /// By `delivery`, on this machine.
    Here,
    Hold,
    Discard,
    Carry(Route),
}

/// Equal names are the same way.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Name {
    Here,
    Hold,
    Discard,
    /// By which settings, which of their terms, and where.
    Carry(u32, Using, NextHop),
}

/// Whose terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Using {
    Rule(usize),
    Default,
    Stripped,
}

/// The settings in force, numbered, so that lanes of older ones are told apart.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) settings: Settings,
    generation: u32,
    /// The default terms without credentials: those are for the smart host only.
    stripped: Arc<Terms>,
}

impl Rules {
    pub(crate) fn new(settings: Settings, generation: u32) -> Self {
        let stripped = Arc::new(Terms { credentials: None, ..(*settings.terms).clone() });
        Self { settings, generation, stripped }
    }

    pub(crate) fn generation(&self) -> u32 {
        self.generation
    }

    /// Where a recipient goes. Reads at most one row of the directory. A rule to hold is for recipients that
    /// nobody has looked at (`new`): what was released goes its way.
    pub(crate) fn way(
        &self,
        directory: &Directory,
        sender: &ReversePath,
        recipient: &Address,
        new: bool,
    ) -> Result<Name, DirectoryError> {
        let applies = |rule: &Rule| {
            (new || !matches!(rule.action, RuleAction::Hold)) && rule.matches.matches(sender, recipient)
        };
        let mut rules = self.settings.rules.iter().enumerate();
        if let Some((index, rule)) = rules.find(|(_, rule)| applies(rule)) {
            return Ok(match &rule.action {
                RuleAction::Carry { hop, .. } => self.carry(Using::Rule(index), hop.for_recipient(recipient)),
                RuleAction::Mailbox => Name::Here,
                RuleAction::Hold => Name::Hold,
                RuleAction::Discard => Name::Discard,
            });
        }
        let domain = recipient.domain().map(|d| directory.store().domain(d)).transpose()?.flatten();
        Ok(match domain.map(|domain| (domain.kind, domain.name)) {
            Some((DomainKind::Relay { to: RelayTarget::Mx, .. }, name)) => {
                self.carry(Using::Stripped, NextHop::BetterMx(name))
            }
            Some((DomainKind::Relay { to: RelayTarget::Url(url), .. }, _)) => match next_hop(&url) {
                Some(next) => self.carry(Using::Stripped, next),
                // Never written by `domain add`; held, so that nothing is lost while somebody looks.
                None => Name::Hold,
            },
            Some(_) => Name::Here,
            None => self.carry(Using::Default, self.settings.otherwise.for_recipient(recipient)),
        })
    }

    fn carry(&self, using: Using, next: NextHop) -> Name {
        Name::Carry(self.generation, using, next)
    }

    fn terms(&self, using: Using) -> Arc<Terms> {
        let rule = |index: usize| match self.settings.rules.get(index).map(|rule| &rule.action) {
            Some(RuleAction::Carry { terms, .. }) => Some(Arc::clone(terms)),
            _ => None,
        };
        match using {
            Using::Default => Arc::clone(&self.settings.terms),
            Using::Stripped => Arc::clone(&self.stripped),
            Using::Rule(index) => rule(index).unwrap_or_else(|| Arc::clone(&self.stripped)),
        }
    }
}

/// The numbers by which the schedule knows ways and destinations.
#[derive(Debug)]
pub(crate) struct Numbers {
    lanes: HashMap<Name, Lane>,
    ways: HashMap<Lane, Way>,
    places: HashMap<DestinationKey, Place>,
    destinations: HashMap<Place, Arc<Destination>>,
    next: u32,
    /// How many there may be before those that nothing needs are looked for.
    enough: usize,
}

impl Numbers {
    pub(crate) fn new() -> Self {
        Self {
            lanes: HashMap::new(),
            ways: HashMap::new(),
            places: HashMap::new(),
            destinations: HashMap::new(),
            // 0 is Place::HERE.
            next: 1,
            enough: MAX_NUMBERS,
        }
    }

    /// The lane of a way, and whether it is new.
    pub(crate) fn lane(&mut self, name: &Name, rules: &Rules) -> (Lane, bool) {
        if let Some(lane) = self.lanes.get(name) {
            return (*lane, false);
        }
        let lane = Lane(self.number());
        let way = match name {
            Name::Here => Way::Here,
            Name::Hold => Way::Hold,
            Name::Discard => Way::Discard,
            Name::Carry(_, using, next) => {
                Way::Carry(Route { next: next.clone(), terms: rules.terms(*using) })
            }
        };
        self.lanes.insert(name.clone(), lane);
        self.ways.insert(lane, way);
        (lane, true)
    }

    pub(crate) fn way(&self, lane: Lane) -> Option<&Way> {
        self.ways.get(&lane)
    }

    /// The number of a destination, whose hosts are from now on these.
    pub(crate) fn place(&mut self, destination: Destination) -> Place {
        let place = match self.places.get(&destination.key) {
            Some(place) => *place,
            None => Place(self.number()),
        };
        self.places.insert(destination.key.clone(), place);
        self.destinations.insert(place, Arc::new(destination));
        place
    }

    pub(crate) fn destination(&self, place: Place) -> Option<&Arc<Destination>> {
        self.destinations.get(&place)
    }

    pub(crate) fn forget(&mut self, lanes: &[Lane], places: &[Place]) {
        lanes.iter().for_each(|lane| drop(self.ways.remove(lane)));
        self.lanes.retain(|_, lane| self.ways.contains_key(lane));
        places.iter().for_each(|place| drop(self.destinations.remove(place)));
        self.places.retain(|_, place| self.destinations.contains_key(place));
        // The search goes through all of them: it must not be made again for each message of a queue that needs many.
        self.enough = MAX_NUMBERS.max(self.len() * 2);
    }

    /// Whether it is time to look for those that nothing needs, and have them forgotten.
    pub(crate) fn are_many(&self) -> bool {
        self.len() > self.enough
    }

    fn len(&self) -> usize {
        self.lanes.len() + self.places.len()
    }

    fn number(&mut self) -> u32 {
        let number = self.next;
        // Wraps after four thousand million lanes; by then the first are long forgotten.
        self.next = self.next.wrapping_add(1).max(1);
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_search_for_what_nothing_needs_is_rare_however_many_are_needed() {
        let mut numbers = Numbers::new();
        let mut searches = 0;
        for number in 0..10 * MAX_NUMBERS as u32 {
            numbers.ways.insert(Lane(number), Way::Hold);
            // Any names will do that differ.
            let host = format!("d{number}.example.org").parse().unwrap();
            numbers.lanes.insert(Name::Carry(0, Using::Default, NextHop::Mx(host)), Lane(number));
            if numbers.are_many() {
                searches += 1;
                numbers.forget(&[], &[]);
            }
        }
        assert_eq!(searches, 4, "at 10, 20, 40 and 80 thousand");
        let half: Vec<Lane> = (0..5 * MAX_NUMBERS as u32).map(Lane).collect();
        numbers.forget(&half, &[]);
        assert_eq!(numbers.len(), 5 * MAX_NUMBERS);
    }
}
