//! Element by element.

use crate::error::Result;
use crate::onnx::dtype;
use crate::onnx::{Graph, Value};
use zoo_core::DType;

macro_rules! unary {
    ($($(#[$doc:meta])* $name:ident => $op:literal;)*) => {
        /// Functions of one tensor; the shape stays.
        ///
        /// # Errors
        /// [`crate::Error::Operator`] if the element type does not fit.
        impl Graph {
            $(
                $(#[$doc])*
                ///
                /// # Errors
                /// [`crate::Error::Operator`] if the element type does not fit.
                pub fn $name(&mut self, x: Value) -> Result<Value> {
                    self.node($op, &[x], [])
                }
            )*
        }
    };
}

macro_rules! binary {
    ($($(#[$doc:meta])* $name:ident => $op:literal;)*) => {
        /// Functions of two tensors of one element type, which broadcast.
        impl Graph {
            $(
                $(#[$doc])*
                ///
                /// # Errors
                /// [`crate::Error::Operator`] if shapes do not broadcast or element types do not fit.
                pub fn $name(&mut self, a: Value, b: Value) -> Result<Value> {
                    self.node($op, &[a, b], [])
                }
            )*
        }
    };
}

unary! {
    /// `|x|`.
    abs => "Abs";
    /// `-x`.
    neg => "Neg";
    /// Square root.
    sqrt => "Sqrt";
    /// `e^x`.
    exp => "Exp";
    /// Natural logarithm.
    log => "Log";
    /// Largest integer not above `x`.
    floor => "Floor";
    /// Smallest integer not below `x`.
    ceil => "Ceil";
    /// Nearest integer, halves to even.
    round => "Round";
    /// Sign: -1, 0 or 1.
    sign => "Sign";
    /// `1 / x`.
    reciprocal => "Reciprocal";
    /// Error function.
    erf => "Erf";
    /// `max(x, 0)`.
    relu => "Relu";
    /// `1 / (1 + e^-x)`.
    sigmoid => "Sigmoid";
    /// Hyperbolic tangent.
    tanh => "Tanh";
    /// `ln(1 + e^x)`.
    softplus => "Softplus";
    /// Logical not of a boolean tensor.
    not => "Not";
    /// The same tensor under another name.
    identity => "Identity";
}

binary! {
    /// `a + b`.
    add => "Add";
    /// `a - b`.
    sub => "Sub";
    /// `a * b`.
    mul => "Mul";
    /// `a / b`.
    div => "Div";
    /// `a ^ b`.
    pow => "Pow";
    /// The larger of both.
    maximum => "Max";
    /// The smaller of both.
    minimum => "Min";
    /// `a > b`, boolean.
    greater => "Greater";
    /// `a >= b`, boolean.
    greater_or_equal => "GreaterOrEqual";
    /// `a < b`, boolean.
    less => "Less";
    /// `a <= b`, boolean.
    less_or_equal => "LessOrEqual";
    /// `a == b`, boolean.
    equal => "Equal";
    /// Logical and of boolean tensors.
    and => "And";
    /// Logical or of boolean tensors.
    or => "Or";
}

impl Graph {
    /// `x` where it is positive, else `alpha * x`.
    ///
    /// # Errors
    /// [`crate::Error::Operator`] if the element type does not fit.
    pub fn leaky_relu(&mut self, x: Value, alpha: f32) -> Result<Value> {
        self.node("LeakyRelu", &[x], [("alpha", alpha.into())])
    }

    /// Gaussian error linear unit, exact form; decomposed before opset 20.
    ///
    /// # Errors
    /// [`crate::Error::Operator`] if the element type does not fit.
    pub fn gelu(&mut self, x: Value) -> Result<Value> {
        if self.opset() >= 20 {
            return self.node("Gelu", &[x], []);
        }
        let scaled = self.mul_scalar(x, std::f64::consts::FRAC_1_SQRT_2)?;
        let erf = self.erf(scaled)?;
        let shifted = self.add_scalar(erf, 1.0)?;
        let gate = self.mul_scalar(shifted, 0.5)?;
        self.mul(x, gate)
    }

    /// Softmax over an axis, which may be counted from the end.
    ///
    /// # Errors
    /// [`crate::Error::Operator`] if there is no such axis or the element type does not fit.
    pub fn softmax(&mut self, x: Value, axis: i64) -> Result<Value> {
        self.node("Softmax", &[x], [("axis", axis.into())])
    }

    /// Logarithm of the softmax over an axis.
    ///
    /// # Errors
    /// As [`Graph::softmax`].
    pub fn log_softmax(&mut self, x: Value, axis: i64) -> Result<Value> {
        self.node("LogSoftmax", &[x], [("axis", axis.into())])
    }

    /// `x` cut to `[low, high]`; a bound that is `None` is left out.
    ///
    /// # Errors
    /// [`crate::Error::Graph`] if the element type can't hold a bound.
    pub fn clip(&mut self, x: Value, low: Option<f64>, high: Option<f64>) -> Result<Value> {
        let dtype = self.value_type(x)?.dtype;
        let low = low.map(|bound| self.scalar(dtype, bound)).transpose()?;
        let high = high.map(|bound| self.scalar(dtype, bound)).transpose()?;
        self.insert_one(crate::onnx::Node::new("Clip").input(x).optional(low).optional(high))
    }

    /// `a` where the condition holds, else `b`.
    ///
    /// # Errors
    /// [`crate::Error::Operator`] if shapes do not broadcast, types differ or the condition is not boolean.
    pub fn select(&mut self, condition: Value, a: Value, b: Value) -> Result<Value> {
        self.node("Where", &[condition, a, b], [])
    }

    /// The values converted to another element type.
    ///
    /// # Errors
    /// [`crate::Error::Operator`] if ONNX has no such element type.
    pub fn cast(&mut self, x: Value, dtype: DType) -> Result<Value> {
        self.node("Cast", &[x], [("to", i64::from(dtype::code(dtype)).into())])
    }

    /// `x + number`, the number in the element type of `x`.
    ///
    /// # Errors
    /// [`crate::Error::Graph`] if the element type can't hold the number.
    pub fn add_scalar(&mut self, x: Value, number: f64) -> Result<Value> {
        let number = self.scalar(self.value_type(x)?.dtype, number)?;
        self.add(x, number)
    }

    /// `x * number`, the number in the element type of `x`.
    ///
    /// # Errors
    /// [`crate::Error::Graph`] if the element type can't hold the number.
    pub fn mul_scalar(&mut self, x: Value, number: f64) -> Result<Value> {
        let number = self.scalar(self.value_type(x)?.dtype, number)?;
        self.mul(x, number)
    }
}
