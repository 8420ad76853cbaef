//! Turns each law into a test for each framework.

/// Makes each function of a module a test per framework: `laws::on_axum::name`.
macro_rules! for_each_framework {
    ($($test:ident),+ $(,)?) => {
        mod on_axum {
            $(#[test] fn $test() { super::$test($crate::site::Framework::Axum); })+
        }
        mod on_actix {
            $(#[test] fn $test() { super::$test($crate::site::Framework::Actix); })+
        }
    };
}
