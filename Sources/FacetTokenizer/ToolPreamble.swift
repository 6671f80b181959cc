import FacetJSON

/// The system message that tells the model which functions it may call.
///
/// The wording is the published tokenizer's and part of what the model was trained on, so it stays as it is.
enum ToolPreamble {
    private static let introduction =
        "你是一个名为 GLM-4 的人工智能助手。你是基于智谱AI训练的语言模型 GLM-4 模型开发的，你的任务是针对用户的问题和要求提供适当的答复和支持。"
    private static let closing = "\n在调用上述函数时，请使用 Json 格式表示调用的参数。"

    /// The text for a JSON array of tools, or nil when it is empty; `message` is its number for errors.
    ///
    /// - Throws: `.invalidJSON`; `.invalidTool` for anything but a function with a name.
    static func text(tools: String, message: Int) throws(TokenizerError) -> String? {
        let value = try JSONValue(userText: Array(tools.utf8), source: "the tools of message \(message)")
        guard let tools = value.array else {
            throw .invalidTool(message: message, reason: "expected an array, got \(value.summary)")
        }
        guard !tools.isEmpty else { return nil }
        var text = introduction
        for tool in tools {
            guard tool["type"]?.string == "function" else {
                let type = tool["type"]?.summary ?? "no type"
                throw .invalidTool(message: message, reason: "expected type \"function\", got \(type)")
            }
            guard let function = tool["function"], let name = function["name"]?.string else {
                throw .invalidTool(message: message, reason: "a function has no name")
            }
            text += "\n\n## \(name)\n\n\(function.indented())\(closing)"
        }
        return text
    }
}
