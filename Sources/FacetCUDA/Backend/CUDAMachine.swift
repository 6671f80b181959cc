import FacetTensor

/// The cards of one program, from opened contexts to backends that know each other.
///
/// Contexts come first, since they take memory that no plan can know: what is free afterwards is what can be planned
/// with. Then `start` takes each device's memory, all of it at once, and makes the backends.
public final class CUDAMachine {
    /// The driver.
    public let driver: CUDADriver

    /// One per device, in order.
    public let contexts: [CUDAContext]

    private let search: LibrarySearch

    /// Opens contexts.
    ///
    /// - Parameter cards: which card each device is, by the driver's numbers. A card may stand there several times: then
    ///   it is several devices, each with its own memory and queue.
    /// - Throws: `.libraryMissing`, `.noDevice`, `.noSuchDevice`, `.callFailed`.
    public init(_ search: LibrarySearch = LibrarySearch(), cards: [Int]) throws(CUDAError) {
        let driver = try CUDADriver(search)
        var contexts: [CUDAContext] = []
        for (index, card) in cards.enumerated() {
            contexts.append(try CUDAContext(driver, index: card, as: DeviceID(.cuda, index)))
        }
        self.driver = driver
        self.contexts = contexts
        self.search = search
    }

    /// Bytes that a device takes beside its budget: workspaces, and what alignment costs.
    public static func reserveByteCount(_ info: CUDADevice) -> Int {
        CardScratch.reserveByteCount(info.capability)
    }

    /// How devices are started.
    public struct Options: Sendable, Hashable {
        /// Whether cuBLASLt computes large products where it is installed.
        public var usesLibrary = true

        /// Whether cards may copy straight from each other where that was proved to work.
        public var allowsDirectCopies = true

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
            devices.append(try backend(arena, table, options), table)
        }
        devices.connect(network)
        return devices
    }

    private func backend(
        _ arena: DeviceArena, _ table: KernelTable, _ options: Options
    ) throws(CUDAError) -> CUDABackend {
        do throws(CUDAError) {
            return try CUDABackend(arena, table, cublasLt: options.usesLibrary ? search : nil)
        } catch .libraryMissing {
            return try CUDABackend(arena, table, cublasLt: nil)
        }
    }
}

/// Devices that were started together, and how they work.
public struct CUDADevices {
    /// One per device, in order.
    public private(set) var backends: [CUDABackend] = []

    /// Where the code of each device's kernels came from, by source.
    public private(set) var kernelOrigins: [[String: KernelStore.Origin]] = []

    /// How bytes go from one device to another; nil from a device to itself.
    public private(set) var routes: [[PeerRoute?]] = []

    fileprivate mutating func append(_ backend: CUDABackend, _ table: KernelTable) {
        backends.append(backend)
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
