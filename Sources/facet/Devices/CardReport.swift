import FacetCUDA
import FacetPlacement
import FacetTensor

/// How one card, or a part of one, computes, and why so: a line for people, an object in `--json`.
struct CardReport: Encodable {
    /// How bytes go to another device.
    struct Link: Encodable {
        let to: String
        let isDirect: Bool
        let route: String
    }

    let device: String
    let card: Int
    let isPart: Bool
    let name: String
    let uuid: String
    let pciId: String
    let computeCapability: String
    let memoryBytes: Int
    let budgetBytes: Int
    let kernels: String
    let products: String
    let arithmetic: String
    let fp8: String?
    let links: [Link]

    /// Reports a device.
    ///
    /// - Parameters:
    ///   - place: among the devices that are cards.
    ///   - budget: bytes that tensors may take.
    ///   - hasFloat8: whether there are weights in fp8, so that it matters what is done with them.
    init(
        _ listed: ResolvedDevices.Device, at place: Int, of devices: CUDADevices, _ budget: Int, _ dtype: DType,
        hasFloat8: Bool
    ) {
        let info = devices.backends[place].info
        device = listed.name
        card = listed.card ?? 0
        isPart = devices.backends.count { $0.info.uuid == info.uuid } > 1
        name = info.name
        uuid = info.uuid.description
        pciId = info.pciID
        computeCapability = info.capability.description
        memoryBytes = info.memoryByteCount
        budgetBytes = budget
        kernels = Self.text(Array(devices.kernelOrigins[place].values))
        products = Self.text(devices.products[place])
        arithmetic = Self.text(dtype, info.capability)
        fp8 = hasFloat8 ? Self.text(devices.backends[place].float8Use, dtype, info.capability) : nil
        links = devices.routes[place].enumerated().compactMap { target, route in
            route.map { route in
                Link(
                    to: devices.backends[target].device.description, isDirect: route == .direct,
                    route: route.description)
            }
        }
    }

    /// What is used, on one line.
    var sentence: String {
        var text =
            "\(device) is \(isPart ? "a part of " : "")\(name) (\(uuid.prefix(12))), "
            + "\(ByteSize.text(budgetBytes)) for tensors; \(arithmetic); "
        if let fp8 { text += "\(fp8); " }
        text += "products by \(products); kernels \(kernels)"
        for link in links { text += "; to \(link.to) \(link.route)" }
        return text
    }

    /// Where the kernels came from, most sources first.
    private static func text(_ origins: [KernelStore.Origin]) -> String {
        let names = origins.map { origin in
            switch origin {
            case .release: "of the release"
            case .cache: "from the cache"
            case .compiler(let version): "compiled by NVRTC \(version)"
            }
        }
        let counts = Dictionary(names.map { ($0, 1) }, uniquingKeysWith: +)
        let sorted = counts.sorted { ($0.value, $1.key) > ($1.value, $0.key) }
        return sorted.count == 1
            ? sorted[0].key : sorted.map { "\($0.key) (\($0.value) of \(origins.count))" }.joined(separator: ", ")
    }

    private static func text(_ products: ProductSource) -> String {
        switch products {
        case .library(let version, _):
            "cuBLASLt \(version / 10_000).\(version / 100 % 100).\(version % 100)"
        case .kernels(let reason): "own kernels (no cuBLASLt: \(reason))"
        }
    }

    private static func text(_ use: Float8Use, _ dtype: DType, _ capability: ComputeCapability) -> String {
        if dtype == .float32 { return "fp8 as storage (rows are float32)" }
        switch use {
        case .library: return "fp8 arithmetic by cuBLASLt"
        case .kernels: return "fp8 arithmetic by own kernels"
        case .storage(.capability): return "fp8 as storage (arithmetic needs compute capability 8.9)"
        case .storage(.switchedOff): return "fp8 as storage (FACET_FP8_ARITHMETIC is off)"
        case .storage(.library):
            return "fp8 as storage (compute capability \(capability) multiplies it fast by cuBLASLt only)"
        }
    }

    private static func text(_ dtype: DType, _ capability: ComputeCapability) -> String {
        if dtype == .float16 { return "float16 on tensor cores" }
        guard dtype == .bfloat16 else { return "\(dtype)" }
        return capability.hasBFloat16
            ? "bfloat16 on tensor cores"
            : "bfloat16 without tensor cores (compute capability \(capability) has none for it)"
    }
}
