import FacetCUDA
import Foundation

/// Where the kernels of cards are found and kept, and what was measured of cards.
enum KernelFolders {
    /// The program's own folder, where a release carries them.
    static var release: String {
        URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent().path
    }

    /// Where compiled ones are kept: `facet/kernels` in `XDG_CACHE_HOME`, or in `~/.cache`.
    ///
    /// - Parameter environment: the process's variables.
    /// - Returns: nil where neither is known: then nothing is kept.
    static func cache(_ environment: [String: String] = ProcessInfo.processInfo.environment) -> String? {
        own(environment).map { "\($0)/kernels" }
    }

    /// Where the speeds of cards are kept, as `cache`.
    static func speeds(_ environment: [String: String] = ProcessInfo.processInfo.environment) -> String? {
        own(environment).map { "\($0)/speeds.json" }
    }

    private static func own(_ environment: [String: String]) -> String? {
        func folder(_ name: String) -> String? { environment[name].flatMap { $0.hasPrefix("/") ? $0 : nil } }
        let parent = folder("XDG_CACHE_HOME") ?? folder("HOME").map { "\($0)/.cache" }
        return parent.map { "\($0)/facet" }
    }

    /// The store of both, for cards of this driver.
    static func store(_ search: LibrarySearch, _ driver: CUDADriver) -> KernelStore {
        KernelStore(
            engineKernelsIn: release, cacheFolder: cache(), search, cudaMajor: driver.version.major)
    }
}
