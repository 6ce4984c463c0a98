//! What is asked of something, as a formula over conditions that become known one after the other.

/// A formula over conditions.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Formula<C> {
    Known(bool),
    Is(C),
    Not(Box<Self>),
    All(Vec<Self>),
    Any(Vec<Self>),
}

impl<C> Formula<C> {
    /// What is left open when `decide` has said of each condition whether it holds, or what that depends on.
    pub(super) fn reduce<D>(&self, decide: &impl Fn(&C) -> Formula<D>) -> Formula<D> {
        match self {
            Self::Known(known) => Formula::Known(*known),
            Self::Is(condition) => decide(condition),
            Self::Not(inner) => match inner.reduce(decide) {
                Formula::Known(known) => Formula::Known(!known),
                open => Formula::Not(Box::new(open)),
            },
            Self::All(several) => reduce_several(several, false, decide, Formula::All),
            Self::Any(several) => reduce_several(several, true, decide, Formula::Any),
        }
    }

    /// Whether one of the conditions in it is such a one.
    pub(super) fn has(&self, is: &impl Fn(&C) -> bool) -> bool {
        match self {
            Self::Known(_) => false,
            Self::Is(condition) => is(condition),
            Self::Not(inner) => inner.has(is),
            Self::All(several) | Self::Any(several) => several.iter().any(|one| one.has(is)),
        }
    }
}

/// A single one that is `decisive` decides.
fn reduce_several<C, D>(
    several: &[Formula<C>],
    decisive: bool,
    decide: &impl Fn(&C) -> Formula<D>,
    join: impl FnOnce(Vec<Formula<D>>) -> Formula<D>,
) -> Formula<D> {
    let mut open = Vec::new();
    for one in several {
        match one.reduce(decide) {
            Formula::Known(known) if known == decisive => return Formula::Known(decisive),
            Formula::Known(_) => {}
            left => open.push(left),
        }
    }
    match (open.pop(), open.is_empty()) {
        (None, _) => Formula::Known(!decisive),
        (Some(only), true) => only,
        (Some(last), false) => {
            open.push(last);
            join(open)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Formula::{All, Any, Is, Known, Not};
    use proptest::prelude::*;

    /// Conditions are numbers; those below three are decided: 0 does not hold, 1 and 2 do.
    #[track_caller]
    fn check(formula: Formula<u8>, expected: Formula<u8>) {
        let decide = |condition: &u8| if *condition < 3 { Known(*condition > 0) } else { Is(*condition) };
        assert_eq!(formula.reduce(&decide), expected, "{formula:?}");
    }

    #[test]
    fn only_what_is_open_is_left() {
        check(All(vec![Is(1), Is(2)]), Known(true));
        check(All(vec![Is(7), Is(0)]), Known(false));
        check(All(vec![Is(1), Is(7)]), Is(7));
        check(All(vec![Is(7), Is(2), Is(8)]), All(vec![Is(7), Is(8)]));
        check(All(Vec::new()), Known(true));
        check(Any(vec![Is(7), Is(1)]), Known(true));
        check(Any(vec![Is(0), Is(7)]), Is(7));
        check(Any(vec![Is(0), Is(0)]), Known(false));
        check(Any(vec![Is(7), All(vec![Is(8), Is(1)])]), Any(vec![Is(7), Is(8)]));
        check(Not(Box::new(Is(0))), Known(true));
        check(Not(Box::new(Is(7))), Not(Box::new(Is(7))));
        check(Not(Box::new(All(vec![Is(7), Is(0)]))), Known(true));
    }

    #[test]
    fn conditions_are_found_wherever_they_stand() {
        let formula = Any(vec![Not(Box::new(Is(1))), All(vec![Known(true), Is(2)])]);
        assert!(formula.has(&|condition| *condition == 2) && formula.has(&|condition| *condition == 1));
        assert!(!formula.has(&|condition| *condition == 3));
    }

    fn formula() -> impl Strategy<Value = Formula<u8>> {
        let leaf = prop_oneof![any::<bool>().prop_map(Known), (0u8..6).prop_map(Is)];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                inner.clone().prop_map(|inner| Not(Box::new(inner))),
                prop::collection::vec(inner.clone(), 0..4).prop_map(All),
                prop::collection::vec(inner, 0..4).prop_map(Any),
            ]
        })
    }

    fn holds(formula: &Formula<u8>, truth: &[bool; 6]) -> bool {
        match formula {
            Known(known) => *known,
            Is(condition) => truth[usize::from(*condition)],
            Not(inner) => !holds(inner, truth),
            All(several) => several.iter().all(|one| holds(one, truth)),
            Any(several) => several.iter().any(|one| holds(one, truth)),
        }
    }

    proptest! {
        /// In whatever order the conditions become known, the answer is that of the whole.
        #[test]
        fn step_by_step_is_the_same_as_at_once(formula in formula(), truth: [bool; 6], first: [bool; 6]) {
            let known = |condition: &u8| Known(truth[usize::from(*condition)]);
            let some = |condition: &u8| if first[usize::from(*condition)] { known(condition) } else { Is(*condition) };
            let left = formula.reduce(&some);
            prop_assert!(!left.has(&|condition| first[usize::from(*condition)]));
            prop_assert_eq!(left.reduce(&known), Formula::<u8>::Known(holds(&formula, &truth)));
        }
    }
}
