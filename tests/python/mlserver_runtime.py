"""A runtime of MLServer that serves an ONNX file in ONNX Runtime."""

import onnxruntime
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceResponse, MetadataTensor

DATATYPES = {"tensor(float)": "FP32", "tensor(double)": "FP64", "tensor(int64)": "INT64", "tensor(uint8)": "UINT8"}


def described(value):
    shape = [axis if isinstance(axis, int) else -1 for axis in value.shape]
    return MetadataTensor(name=value.name, datatype=DATATYPES[value.type], shape=shape)


class OnnxModel(MLModel):
    async def load(self):
        self.session = onnxruntime.InferenceSession(self.settings.parameters.uri, providers=["CPUExecutionProvider"])
        self.inputs = [described(value) for value in self.session.get_inputs()]
        self.outputs = [described(value) for value in self.session.get_outputs()]
        return True

    async def predict(self, payload):
        names = [value.name for value in self.session.get_outputs()]
        outputs = self.session.run(names, {value.name: NumpyCodec.decode_input(value) for value in payload.inputs})
        answers = [NumpyCodec.encode_output(name, array) for name, array in zip(names, outputs)]
        return InferenceResponse(model_name=self.name, model_version=self.version, outputs=answers)
