public import FacetTensor

/// The cards of one program, from opened contexts to backends that know each other.
///
/// Contexts come first, since they take memory that no plan can know: what is free afterwards is what can be planned
/// with. Then `start` takes each device's memory, all of it at once, and makes the backends.
public final class CUDAMachine: Sendable {
    /// The driver.
    public let driver: CUDADriver

    /// One per device, in order.
    public let contexts: [CUDAContext]

    private let search: LibrarySearch

    /// Opens contexts.
    ///
    /// - Parameter cards: which card each device is, by the driver's numbers. A card may stand there several times: then
    ///   it is several devices, each with its own memory and queue.
    /// - Parameter numbers: what the devices are called by; nil to count them from 0.
    /// - Throws: `.libraryMissing`, `.noDevice`, `.noSuchDevice`, `.callFailed`.
    /// - Precondition: the numbers differ, and there are as many as cards.
    public init(
        _ search: LibrarySearch = LibrarySearch(), cards: [Int], numbers: [Int]? = nil
    ) throws(CUDAError) {
        let driver = try CUDADriver(search)
        let numbers = numbers ?? Array(cards.indices)
        precondition(Set(numbers).count == cards.count, "every device has a number of its own")
        var contexts: [CUDAContext] = []
        for (number, card) in zip(numbers, cards) {
            contexts.append(try CUDAContext(driver, index: card, as: DeviceID(.cuda, number)))
        }
        self.driver = driver
        self.contexts = contexts
        self.search = search
    }

    /// Bytes that a device takes beside its budget: workspaces, and what alignment costs.
    public static func reserveByteCount(_ info: CUDADevice) -> Int {
        CardScratch.reserveByteCount(info)
    }

    /// How devices are started.
    public struct Options: Sendable, Hashable {
        /// Whether cuBLASLt computes large products where it is installed.
        public var usesLibrary = true

        /// Whether cards may copy straight from each other where that was proved to work.
        public var allowsDirectCopies = true

        /// Whether many rows become 8-bit floating point where weights are, on cards that multiply it.
        public var usesFloat8Arithmetic = true

        /// The type of the activations, which 16-bit weights are converted to; nil to keep them as they are.
        public var weightDType: DType?

        /// As one starts them who asks for nothing.
        public init() {}
    }

    /// Takes the memory and makes the backends.
    ///
    /// - Parameters:
    ///   - budgets: bytes that tensors may take of each device.
    ///   - store: where kernels come from.
    /// - Throws: `.outOfMemory`, and what the parts throw. A cuBLASLt that is not installed is no error.
    public func start(
        budgets: [Int], _ store: KernelStore, _ options: Options = Options()
    ) throws(CUDAError) -> CUDADevices {
        precondition(budgets.count == contexts.count, "\(budgets.count) budgets for \(contexts.count) devices")
        var arenas: [DeviceArena] = []
        for (context, budget) in zip(contexts, budgets) {
            let reserve = Self.reserveByteCount(context.info)
            arenas.append(try DeviceArena(context, byteCount: budget, reserveByteCount: reserve))
        }
        let network = try PeerNetwork(arenas, allowsDirect: options.allowsDirectCopies)
        var devices = CUDADevices()
        for arena in arenas {
            let table = try KernelTable(
                EngineKernels.entries(for: arena.context.info.capability), from: store, on: arena.context)
            let (backend, products) = try backend(arena, table, options)
            devices.append(backend, table, products)
        }
        devices.connect(network)
        return devices
    }

    private func backend(
        _ arena: DeviceArena, _ table: KernelTable, _ options: Options
    ) throws(CUDAError) -> (CUDABackend, ProductSource) {
        do throws(CUDAError) {
            let backend = try CUDABackend(
                arena, table, cublasLt: options.usesLibrary ? search : nil, weightDType: options.weightDType,
                usesFloat8Arithmetic: options.usesFloat8Arithmetic)
            guard let library = backend.library else { return (backend, .kernels(reason: "cuBLASLt is switched off")) }
            return (backend, .library(version: library.version, path: library.path))
        } catch .libraryMissing(_, _, let reason, _) {
            let backend = try CUDABackend(
                arena, table, cublasLt: nil, weightDType: options.weightDType,
                usesFloat8Arithmetic: options.usesFloat8Arithmetic)
            return (backend, .kernels(reason: reason))
        }
    }
}

/// What computes large products of floating-point numbers on a card.
public enum ProductSource: Sendable, Hashable {
    /// cuBLASLt, of this version (130002 for 13.0.2), from this file.
    case library(version: Int, path: String)
    /// Kernels of this package, and why not the library.
    case kernels(reason: String)
}

/// Devices that were started together, and how they work.
public struct CUDADevices {
    /// One per device, in order.
    public private(set) var backends: [CUDABackend] = []

    /// Where the code of each device's kernels came from, by source.
    public private(set) var kernelOrigins: [[String: KernelStore.Origin]] = []

    /// What computes large products on each device.
    public private(set) var products: [ProductSource] = []

    /// How bytes go from one device to another; nil from a device to itself.
    public private(set) var routes: [[PeerRoute?]] = []

    fileprivate mutating func append(_ backend: CUDABackend, _ table: KernelTable, _ source: ProductSource) {
        backends.append(backend)
        products.append(source)
        kernelOrigins.append(table.origins)
    }

    fileprivate mutating func connect(_ network: PeerNetwork) {
        for (target, backend) in backends.enumerated() {
            for (source, other) in backends.enumerated() {
                guard let link = network.link(from: source, to: target) else { continue }
                backend.tensors.connect(other.device, by: link)
            }
        }
        routes = backends.indices.map { source in
            backends.indices.map { network.link(from: source, to: $0)?.route }
        }
    }
}

extension KernelStore {
    /// The engine's kernels.
    ///
    /// - Parameters:
    ///   - releaseFolder: where a release carries them, beside the program; nil to look nowhere.
    ///   - cacheFolder: where compiled ones are kept; nil to keep none.
    ///   - search: finds NVRTC when it is needed.
    ///   - cudaMajor: what the driver supports; newer compilers are left out.
    public convenience init(
        engineKernelsIn releaseFolder: String?, cacheFolder: String?, _ search: LibrarySearch = LibrarySearch(),
        cudaMajor: Int? = nil
    ) {
        self.init(EngineKernels.sources, releaseFolder: releaseFolder, cacheFolder: cacheFolder) {
            () throws(CUDAError) in try NVRTC(search, cudaMajor: cudaMajor)
        }
    }
}
