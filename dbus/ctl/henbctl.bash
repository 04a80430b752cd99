# SPDX-License-Identifier: GPL-3.0-or-later
# bash completion for henbctl: verbs, options, and parameters level by level over the agent's tree.

# The parameters and objects one level below what is typed, such as Device.Time. for Device.T
_henbctl_paths() {
    local cur=$1 parent=Device.
    case $cur in *.*) parent=${cur%.*}. ;; esac
    COMPREPLY=($(compgen -W "$(henbctl --names list "$parent" 2>/dev/null |
        awk -v n="${#parent}" '{ rest = substr($0, n + 1); dot = index(rest, ".")
            one = dot ? substr($0, 1, n + dot) : $0; if (!seen[one]++) print one }')" -- "$cur"))
    [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *. ]] && compopt -o nospace
}

_henbctl() {
    local cur=${COMP_WORDS[COMP_CWORD]} word verb= i
    local verbs="status timeline monitor tunnels session get list inform reconnect reload deregister
        clear-deregistration wait check-config"
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        [[ $word != -* && -z $verb ]] && verb=$word
    done
    if [[ $cur == -* ]]; then
        COMPREPLY=($(compgen -W "--json --svg --names --timeout= --help --version" -- "$cur"))
        [[ ${COMPREPLY[0]} == *= ]] && compopt -o nospace
        return
    fi
    case $verb in
        "") COMPREPLY=($(compgen -W "$verbs" -- "$cur")) ;;
        get | list) _henbctl_paths "$cur" ;;
        check-config) COMPREPLY=($(compgen -f -- "$cur")) ;;
    esac
}

complete -F _henbctl henbctl
