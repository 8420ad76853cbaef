//! Nothing: the package is its tests, and its dependencies compile for every target.

use silverback as _;
