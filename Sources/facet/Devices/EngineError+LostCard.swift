import FacetEngine
import FacetModel
import FacetTensor

extension EngineError {
    /// Whether a card stopped working: its context is gone until the program starts again, unlike a processor's queue.
    var meansLostCard: Bool {
        switch self {
        case .tensor(.deviceFailed(let device, _)), .model(.tensor(.deviceFailed(let device, _))):
            device.kind != .cpu
        default: false
        }
    }
}
